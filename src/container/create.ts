import { completeUnit, makeCgroup } from "../cgroup/make-cgroup.js";
import { startUnit } from "../cgroup/systemd/transient-unit.js";
import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import { hasNamespace, makesNamespace } from "../config/rules/namespaces.js";
import { unknownProperties } from "../config/unknown-properties.js";
import { warningsOf } from "../config/validate.js";
import { ffi } from "../ffi/driver.js";
import type { Config } from "../generated/config.js";
import type { Compiled } from "../init/compile.js";
import { type Facts, input } from "../init/facts.js";
import { hasCreateHooks } from "../init/rootfs.js";
import { isScheduledByRuntime } from "../init/scheduling.js";
import { writeIdMaps } from "../launch/id-maps.js";
import type { Init } from "../launch/init.js";
import { launch } from "../launch/launch.js";
import type { SignalPipe } from "../launch/signal-pipe.js";
import { copyUp } from "../linux/copy-up.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd } from "../linux/file.js";
import { listenUnix } from "../linux/socket.js";
import { sys } from "../linux/syscall.js";
import { stepCount, stepsFrom } from "../machine/steps.js";
import { enterResctrlGroup, makeResctrlGroup, planResctrlGroup } from "../resctrl/resctrl-group.js";
import { resctrlRoot } from "../resctrl/resctrl-root.js";
import { compileSeccomp } from "../seccomp/compile.js";
import { connectTo, requireConsole, requirePreserved, sendProcess, writePidFile } from "./caller.js";
import { removeCgroups } from "./cgroups.js";
import { detachedMounts } from "./detached-mounts.js";
import { namespaceTypes, pidInside, runHooks, runStopHooks } from "./hooks.js";
import { keepFilter } from "./kept-filters.js";
import { setOomScoreAdj, setRlimits, setScheduling } from "./limits.js";
import { openNamespaces } from "./namespaces.js";
import { NetworkPair } from "./network-devices.js";
import type { CreateOptions } from "./options.js";
import { plan } from "./plan.js";
import { recordProcess } from "./recorded-process.js";
import { newRecord, type Saved } from "./saved.js";
import { requireAgent } from "./seccomp-agent.js";
import { giveStandardStreams } from "./standard-streams.js";
import { specState } from "./state.js";
import { START_SOCKET, StateDirectory } from "./state-directory.js";
import { Undo } from "./undo.js";

/** A container that was just created, as long as the command that did it lives. */
export interface Created {
  readonly config: Config;
  readonly saved: Saved;
  readonly directory: StateDirectory;
  /** The terminal's controlling end, where no console socket took it. */
  readonly terminal?: Fd;
}

/** The step at which init waits for `start`. */
const WAITING = "accept4";

/**
 * Creates a container (runtime.md, "Create"): everything up to the wait for `start`. The container's directory stays
 * locked. Throws Failure, with nothing left behind.
 *
 * @param takeSignals takes the signals that are meant for the container, while init works: then they end hooks
 */
export function create(options: CreateOptions, takeSignals?: () => SignalPipe | undefined): Created {
  const { config, text, bundle, rootfs, facts, cgroups, compiled, preserveFds } = plan(options);
  tellOddities(config, facts, options);
  requireRights(config);
  requireConsole(config.process, options);
  requirePreserved(preserveFds);
  requireAgent(config);
  const { intelRdt } = config.linux ?? {};
  const resctrl = intelRdt && planResctrlGroup(resctrlRoot(), options.id, intelRdt);
  const undo = new Undo();
  let networks: NetworkPair | undefined;
  const opened: Fd[] = [];
  const keep = (fd: Fd): Fd => {
    opened.push(fd);
    return fd;
  };
  try {
    const directory = StateDirectory.create(options.root, options.id);
    undo.add(() => directory.remove());
    directory.saveConfig(text);
    let saved: Saved = {
      ...newRecord(options.id, config, bundle, rootfs, cgroups),
      newKeyring: options.newKeyring,
      ...(resctrl && { resctrl }),
      rest: restOf(compiled),
    };
    directory.save(saved);

    const inputs: Record<string, Fd> = {};
    let into: Fd | undefined;
    if (cgroups?.unit !== undefined) undo.add(() => removeCgroups(saved));
    else if (cgroups !== undefined) {
      undo.add(makeCgroup(cgroups));
      const entry = cgroups.cgroup.openEntry();
      for (const { name, fd } of entry.tasks) inputs[input.tasks(name)] = keep(fd);
      if (entry.into !== undefined) into = keep(entry.into);
    }
    if (resctrl && intelRdt) undo.add(makeResctrlGroup(resctrl, intelRdt));
    const namespaces = openNamespaces(config);
    for (const type in namespaces) keep(namespaces[type]);
    const mounts = detachedMounts(config, facts);
    for (const name in mounts) inputs[name] = keep(mounts[name]);
    if (options.consoleSocket !== undefined)
      inputs[input.console] = keep(connectTo("--console-socket", options.consoleSocket));
    inputs[input.start] = keep(listenUnix(directory.fd, START_SOCKET));
    const receiver = config.annotations?.[ANNOTATIONS.pidfdReceiver];
    const pidfdSockets: Fd[] = [];
    if (options.pidfdSocket !== undefined) pidfdSockets.push(keep(connectTo("--pidfd-socket", options.pidfdSocket)));
    if (receiver !== undefined)
      pidfdSockets.push(keep(connectTo(member("annotations", ANNOTATIONS.pidfdReceiver), receiver)));
    giveStandardStreams(config);

    const init = launch({
      compiled,
      inputs,
      namespaces,
      preserveFds,
      ...(into !== undefined && { cgroup: into }),
    });
    undo.add(() => runStopHooks(saved, options.warn));
    undo.add(() => init.kill());
    // The process that was to make it has told why there is none.
    if (init.pid === 0) init.next();
    saved = { ...recordProcess(saved, init.pid), executable: init.executable };
    if (cgroups?.unit !== undefined) {
      startUnit(cgroups.unit, init.pid);
      saved = { ...saved, cgroup: cgroups.cgroup.paths, unit: cgroups.unit.unit };
      directory.save(saved);
      completeUnit(cgroups, init.pid);
    }
    // Hooks may take long, and commands may ask meanwhile.
    if (hasCreateHooks(config)) directory.save(saved);
    if (resctrl) enterResctrlGroup(resctrl, init.pid);
    if (makesNamespace(config, "user")) writeIdMaps(init.pid, config);
    init.go();
    const signals = takeSignals?.();
    keepCompiledFilter(options.root, config, facts);
    const terminal = converse(init, config, saved, signals, () => {
      networks = NetworkPair.open(init.pid);
      networks.moveIn(config, (takeBack) => undo.add(takeBack));
    });
    if (config.process !== undefined) {
      if (hasNamespace(config, "user")) setRlimits(init.pid, config.process);
      if (isScheduledByRuntime(config, saved.owner === 0)) setScheduling(init.pid, config.process);
      setOomScoreAdj(init.pid, config.process);
    }
    saved = { ...saved, ready: true };
    directory.save(saved);
    for (const socket of pidfdSockets) sendProcess(socket, init.pid);
    writePidFile(options, init.pid);
    init.go();
    init.hangUp();
    return { config, saved, directory, ...(terminal !== undefined && { terminal }) };
  } catch (error) {
    undo.run();
    throw error;
  } finally {
    for (const fd of opened) close(fd);
    networks?.close();
  }
}

/** Tells what in a config is odd; what the specification does not know is for those who look for faults. */
function tellOddities(config: Config, { permitted }: Facts, { warn, note }: CreateOptions): void {
  for (const warning of warningsOf(config, permitted)) warn(warning);
  if (note === undefined) return;
  for (const path of unknownProperties(config)) note(`${path}: not known to the specification, so passed over`);
}

/** Who has no rights has them all in a user namespace. */
function requireRights(config: Config): void {
  if (sys("geteuid") === 0 || hasNamespace(config, "user")) return;
  throw new Failure("linux.namespaces", {
    cause: "a rootless container requires user namespaces: there is none in the config, and the caller is not root",
    hint: "`fdrunc spec --rootless` writes a config.json that has one",
  });
}

/** Keeps the filter for those who come later, unless it was there already. */
function keepCompiledFilter(root: string, { linux }: Config, { filter }: Facts): void {
  if (linux?.seccomp !== undefined && filter === undefined)
    keepFilter(root, linux.seccomp, compileSeccomp(linux.seccomp, ffi.arch));
}

/** Answers init until it is ready. Returns the terminal's controlling end, where init sent it here. */
function converse(
  init: Init,
  config: Config,
  saved: Saved,
  signals: SignalPipe | undefined,
  moveDevices: () => void,
): Fd | undefined {
  let terminal: Fd | undefined;
  let copyFrom: Fd | undefined;
  for (;;) {
    const said = init.next();
    if (said === undefined)
      throw new Failure("init ended before the container was created", {
        cause: init.fate(),
        hint: "is linux.resources.memory.limit or pids.limit too low?",
      });
    switch (said.message) {
      case "copy-up-source":
        copyFrom = said.fd;
        break;
      case "copy-up-target":
        copyContents(copyFrom as Fd, said.fd as Fd);
        init.go();
        break;
      case "isolated":
        moveDevices();
        init.go();
        break;
      case "mounted":
        runCreateHooks(config, saved, signals);
        init.go();
        break;
      case "terminal":
        terminal = said.fd;
        break;
      case "ready":
        return terminal;
    }
  }
}

/** Fills a tmpfs with what lies below it. */
function copyContents(from: Fd, to: Fd): void {
  try {
    copyUp(from, to);
  } catch (cause) {
    const hint = sys("geteuid") === 0 ? undefined : "an ordinary user can only copy files that belong to that user";
    throw new Failure("mounts with option tmpcopyup: copy what lies below", { cause, ...(hint && { hint }) });
  } finally {
    close(from);
    close(to);
  }
}

/** The hooks between the making of the environment and the change of root. */
function runCreateHooks(config: Config, saved: Saved, signals: SignalPipe | undefined): void {
  const { hooks = {} } = config;
  const state = specState(saved, "creating");
  const init = saved.pid;
  runHooks("prestart", hooks.prestart, { state, init, signals });
  runHooks("createRuntime", hooks.createRuntime, { state, init, signals });
  if (hooks.createContainer?.length) {
    const inside = specState(saved, "creating", pidInside(saved.pid));
    const join = { pid: saved.pid, types: namespaceTypes(config) };
    runHooks("createContainer", hooks.createContainer, { state: inside, join, init, signals });
  }
}

/** The steps that init has yet to make once it is ready: from its wait on. */
function restOf({ launcher, init }: Compiled): Saved["rest"] {
  const { number, steps } = stepsFrom(init, (step) => "call" in step && step.call === WAITING);
  const told = steps.map((step) => {
    const { says, from, hint } = step;
    return { says, from, hint, ...("call" in step && { call: step.call }) };
  });
  return { first: stepCount(launcher) + number, steps: told };
}
