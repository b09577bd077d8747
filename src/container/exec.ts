import { Cgroup } from "../cgroup/cgroup.js";
import { hasNamespace } from "../config/rules/namespaces.js";
import { ffi } from "../ffi/driver.js";
import type { Config, Process } from "../generated/config.js";
import { compileExec, waitsPrepared } from "../init/compile-exec.js";
import { type CgroupFacts, type Facts, input } from "../init/facts.js";
import { type Fault, withFault } from "../init/fault.js";
import { isScheduledByRuntime } from "../init/scheduling.js";
import type { Init } from "../launch/init.js";
import { launch } from "../launch/launch.js";
import type { SignalPipe } from "../launch/signal-pipe.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, keeping, open, quote, using } from "../linux/file.js";
import { inUserNamespace } from "../linux/in-user-namespace.js";
import { sys } from "../linux/syscall.js";
import { copySize } from "../linux/terminal.js";
import { enterResctrlGroup } from "../resctrl/resctrl-group.js";
import { attend, takeSignals } from "./attend.js";
import { connectTo, requireConsole, requirePreserved, sendProcess, writePidFile } from "./caller.js";
import { openCgroups } from "./cgroups.js";
import { execProcess, type ProcessOptions } from "./exec-process.js";
import { permittedTo } from "./facts.js";
import { homeOf } from "./home.js";
import { findFilter } from "./kept-filters.js";
import { setOomScoreAdj, setRlimits, setScheduling } from "./limits.js";
import type { GlobalOptions } from "./options.js";
import { withProcess } from "./recorded-process.js";
import type { Saved } from "./saved.js";
import { passListener, seccompAgent } from "./seccomp-agent.js";
import { giveStandardStreams } from "./standard-streams.js";
import { specState } from "./state.js";
import { StateDirectory } from "./state-directory.js";
import { type Status, statusOf } from "./status.js";
import { cgroupsBesideInit, subCgroups } from "./sub-cgroups.js";

/** What `exec` takes. */
export interface ExecOptions extends GlobalOptions {
  readonly id: string;
  readonly process: ProcessOptions;
  readonly pidFile?: string;
  /** The socket that takes the terminal of a process that is not in the foreground. */
  readonly consoleSocket?: string;
  /** The socket that takes a descriptor of the process. */
  readonly pidfdSocket?: string;
  readonly preserveFds: number;
  /** Cgroups below the container's, as `subCgroups` reads them. */
  readonly cgroups: readonly string[];
  /** Whether a paused container is fine: the process goes on when that does. */
  readonly ignorePaused: boolean;
  /** A step to make fail on purpose. */
  readonly fault?: Fault;
  /** Whether the command stays and serves the process. */
  readonly foreground: boolean;
}

/**
 * Adds a process to a container that is created or running.
 *
 * @returns the exit status of the process; 0 for one that goes on in the background
 * @throws Failure; then there is no process
 */
export function exec(options: ExecOptions): number {
  ffi.expand();
  const directory = StateDirectory.open(options.root, options.id);
  const saved = directory.read();
  if (!saved?.ready) throw refusal(options.id, statusOf(saved));
  let added: Added | undefined;
  try {
    added = withProcess(saved, (init) => {
      if (!options.ignorePaused && new Cgroup(saved.cgroup).isFrozen) throw refusal(options.id, "paused");
      const config = directory.readConfig();
      directory.close();
      const process = execProcess(config, options.process);
      requireConsole(process, options);
      requirePreserved(options.preserveFds);
      return add(options, saved, config, process, init);
    });
  } catch (error) {
    // One that has ended meanwhile is the reason, whatever failed for it.
    if (statusOf(saved) === "stopped") throw refusal(options.id, "stopped");
    throw error;
  }
  if (added === undefined) throw refusal(options.id, "stopped");
  if (added.signals === undefined) return 0;
  try {
    return attend(added.pid, added.signals, added.terminal);
  } finally {
    if (added.terminal !== undefined) close(added.terminal);
  }
}

/** Why a container in a status takes no process. Callers know these words by runc. */
const WHY: Partial<Record<Status, string>> = {
  stopped: "container not running (cannot exec in a stopped container)",
  creating: "container not running (it has not been created completely)",
  paused: "cannot exec in a paused container (--ignore-paused waits until it is resumed)",
};

const refusal = (id: string, status: Status): Failure =>
  new Failure(`cannot exec in container ${quote(id)}`, { cause: WHY[status] });

/** A process that executes the user's program. */
interface Added {
  readonly pid: number;
  /** In the foreground: the signals that are meant for it; and its terminal's controlling end, if it has one. */
  readonly signals?: SignalPipe;
  readonly terminal?: Fd;
}

/** Adds the process, and waits until it executes its program. `container` is init's process. Throws Failure. */
function add(options: ExecOptions, saved: Saved, config: Config, process: Process, container: Fd): Added {
  return keeping((keep) => {
    const cgroups = openCgroups(saved, keep, cgroupsFor(options, saved));
    const inputs = { ...cgroups.inputs, ...openInputs(options, saved, config, keep) };
    const { pidfdSocket, fault, preserveFds } = options;
    const receiver = pidfdSocket === undefined ? undefined : keep(connectTo("--pidfd-socket", pidfdSocket));
    const facts = gatherFacts(options, saved, config, process, cgroups.facts);
    const compiled = compileExec(config, process, facts);
    giveStandardStreams({ ...config, process });
    const added = launch({
      compiled: fault === undefined ? compiled : withFault(compiled, fault),
      process: container,
      inputs,
      namespaces: {},
      preserveFds,
      ...(cgroups.into !== undefined && { cgroup: cgroups.into }),
    });
    try {
      if (added.pid > 0) {
        if (saved.resctrl !== undefined) enterResctrlGroup(saved.resctrl, added.pid);
        cgroups.move?.(added.pid);
        if (!hasNamespace(config, "user")) setOomScoreAdj(added.pid, process);
      }
      added.go();
      const signals = options.foreground ? takeSignals() : undefined;
      const terminal = converse(added, saved, config, process);
      if (receiver !== undefined) sendProcess(receiver, added.pid);
      writePidFile(options, added.pid);
      added.hangUp();
      return {
        pid: added.pid,
        ...(signals !== undefined && { signals }),
        ...(terminal !== undefined && { terminal }),
      };
    } catch (error) {
      added.kill();
      throw error;
    }
  });
}

/** Opens what the program is handed beside its cgroups. */
function openInputs(
  { consoleSocket }: ExecOptions,
  { pid }: Saved,
  config: Config,
  keep: (fd: Fd) => Fd,
): Record<string, Fd> {
  const inputs: Record<string, Fd> = {};
  if (hasNamespace(config, "time")) inputs[input.namespace("time")] = keep(open(`/proc/${pid}/ns/time`, C.O_RDONLY));
  if (!hasNamespace(config, "mount")) inputs.root = keep(open(`/proc/${pid}/root`, C.O_PATH));
  if (consoleSocket !== undefined) inputs[input.console] = keep(connectTo("--console-socket", consoleSocket));
  return inputs;
}

/** What the compiler has to know. */
const gatherFacts = (
  { root, preserveFds }: ExecOptions,
  { id, bundle, rootfs, newKeyring, pid }: Saved,
  config: Config,
  process: Process,
  cgroup: CgroupFacts,
): Facts => ({
  id,
  bundle,
  rootfs,
  preserveFds,
  privileged: sys("geteuid") === 0,
  userNamespace: hasNamespace(config, "user") || inUserNamespace(),
  makesMounts: false,
  newKeyring,
  permitted: permittedTo(config),
  home: homeFor(process, pid),
  cgroup,
  places: new Map(),
  ...(config.linux?.seccomp && { filter: findFilter(root, config.linux.seccomp) }),
});

function cgroupsFor({ cgroups }: ExecOptions, saved: Saved): Saved["cgroup"] {
  if (cgroups.length === 0) return cgroupsBesideInit(saved.cgroup, saved.pid);
  return subCgroups(saved.cgroup, cgroups);
}

/** The home directory of the process's user, as the container sees /etc/passwd now, where $HOME is not told. */
const homeFor = ({ env = [], user }: Process, pid: number): string =>
  env.some((entry) => entry.startsWith("HOME=")) ? "" : homeOf(`/proc/${pid}/root`, user?.uid ?? 0);

/** Answers the process until it executes its program. Returns the terminal's controlling end, where it was sent here. */
function converse(added: Init, saved: Saved, config: Config, process: Process): Fd | undefined {
  let terminal: Fd | undefined;
  let prepared = false;
  for (let said = added.next(); said !== undefined; said = added.next()) {
    if (said.message === "terminal") {
      terminal = said.fd as Fd;
      copySize(0, terminal);
      continue;
    }
    if (said.message === "listener") {
      using(said.fd as Fd, (listener) => passOn(listener, added.pid, saved, config));
      added.go();
      continue;
    }
    prepared = true;
    if (hasNamespace(config, "user")) {
      setRlimits(added.pid, process);
      // Only now is the file root's of that namespace, and no more the host's.
      setOomScoreAdj(added.pid, process);
    }
    if (isScheduledByRuntime(config, sys("geteuid") === 0)) setScheduling(added.pid, process);
    if (waitsPrepared(config, process)) added.go();
  }
  if (!prepared) throw new Failure("the process ended before its program was executed", { cause: added.fate() });
  return terminal;
}

/** Hands the listener of the filter that a process has loaded to who decides on its system calls. */
function passOn(listener: Fd, pid: number, saved: Saved, config: Config): void {
  const agent = seccompAgent(config);
  if (agent !== undefined) passListener(agent, listener, pid, specState(saved, "running"));
}
