import { hasNamespace } from "../config/rules/namespaces.js";
import { LARGEST_CPU } from "../config/rules/process.js";
import type { Config, ExecCPUAffinity, Process } from "../generated/config.js";
import { maskOf, parseNumberList } from "../linux/number-list.js";
import type { Program } from "../machine/program.js";
import { AT_FDCWD, Builder, flags, slot, text } from "./builder.js";
import { NO_MORE } from "./clone.js";
import {
  type Compiled,
  closeStrangers,
  compileTreatment,
  confine,
  enterCgroups,
  startSession,
  withFilter,
} from "./compile.js";
import {
  becomeRoot,
  type Entry,
  entering,
  executeProgram,
  placeOfBetween,
  startBetween,
  startInside,
} from "./compile-spawn.js";
import { compileExecutableCheck, compileExecute } from "./execute.js";
import type { Facts } from "./facts.js";
import { compileIdentity } from "./identity.js";
import { isLabelled } from "./labels.js";
import { send, wait } from "./message.js";
import { openProcfs } from "./procfs.js";
import { compileTerminal } from "./terminal.js";
import { compileTimeEntry } from "./time-namespace.js";

/**
 * Compiles a process that is added to a running container. Its launcher joins the namespaces of init, whose descriptor
 * is slot `process`; its program goes on as init's did, without the making of the container. Without a mount namespace
 * of the container's, slot `root` holds its root.
 *
 * @param config the container's; `process` takes the place of its process
 */
export function compileExec(config: Config, process: Process, facts: Facts): Compiled {
  const executing = { ...config, process };
  const complete = withFilter(config, facts);
  return {
    launcher: compileExecLauncher(executing, process, facts),
    init: compileProgram(executing, process, complete),
  };
}

/** All that the launcher depends on. */
interface Start extends Entry {
  readonly affinity?: string;
  readonly becomesRoot: boolean;
}

/** The launcher of a process that is added to a container. */
export function compileExecLauncher(
  config: Config,
  { execCPUAffinity }: Pick<Process, "execCPUAffinity">,
  { cgroup }: Facts,
): Program {
  const b = new Builder();
  b.part<Start>(startProcess, {
    joined: JOINED.filter((type) => hasNamespace(config, type)),
    enters: entering(config, cgroup.into),
    ...(execCPUAffinity?.initial && { affinity: execCPUAffinity.initial }),
    becomesRoot: hasNamespace(config, "user"),
  });
  return b.finish();
}

/** The namespaces that are joined from outside. The time namespace is entered by the program itself. */
const JOINED = ["mount", "uts", "ipc", "user", "pid", "network", "cgroup"] as const;

function startProcess(b: Builder, { affinity, becomesRoot, ...entry }: Start): void {
  const end = b.label();
  b.about("start a process to join the container's namespaces with", undefined, NO_MORE);
  startBetween(b, end, placeOfBetween(entry));
  setAffinity(b, "initial", affinity);
  b.about("start the process in the container's namespaces", "linux.namespaces", NO_MORE);
  startInside(b, entry);
  // Only then does the end of the runtime end this process's waiting, too.
  b.about("close the runtime's end of the connection");
  b.slot("peer");
  b.close("peer");
  b.about("wait for the program");
  wait(b);
  if (becomesRoot) {
    b.about("become root in the user namespace", "linux.uidMappings");
    becomeRoot(b);
  }
  b.about("execute the program");
  executeProgram(b, "fdrunc-exec");
  b.bind(end);
}

function compileProgram(config: Config, process: Process, facts: Facts): Program {
  const b = new Builder();
  b.part(closeStrangers, facts.preserveFds);
  enterCgroups(b, facts);
  if (hasNamespace(config, "time")) compileTimeEntry(b, { what: "the process", from: "linux.namespaces" });
  startSession(b, facts);
  if (!hasNamespace(config, "mount")) changeRoot(b);
  else if (process.terminal) openRoot(b);
  compileTerminal(b, config, false);
  if (isLabelled(process)) openProcfs(b);
  compileTreatment(b, config, process, facts);
  const { dropLast } = compileIdentity(b, config, facts);
  compileExecutableCheck(b, process);
  b.about("report that all is prepared");
  send(b, "ready");
  if (waitsPrepared(config, process)) wait(b);
  setAffinity(b, "final", process.execCPUAffinity?.final);
  confine(b, config, process, facts, dropLast);
  compileExecute(b, process, facts.home);
  return b.finish();
}

/** Whether the process, once it is prepared, waits for the runtime: that sizes a terminal, and has rights that it lacks. */
export const waitsPrepared = (config: Config, process: Process): boolean =>
  process.terminal === true || (hasNamespace(config, "user") && TREATED.some((name) => process[name] !== undefined));

/** What the runtime gives to a process in a user namespace. */
const TREATED = ["rlimits", "scheduler", "ioPriority", "oomScoreAdj"] as const;

function changeRoot(b: Builder): void {
  b.about("change the root to the container's", "root.path");
  b.slot("root");
  b.call("fchdir", [slot("root")]);
  b.call("chroot", [text(".")]);
}

function openRoot(b: Builder): void {
  b.about("open the root");
  b.call("openat", [AT_FDCWD, text("/"), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], { into: "root" });
}

function setAffinity(b: Builder, when: keyof ExecCPUAffinity, list: string | undefined): void {
  if (!list) return;
  const mask = maskOf(parseNumberList(list, LARGEST_CPU + 1) ?? 0n);
  b.about(
    `run on CPUs ${list}`,
    `process.execCPUAffinity.${when}`,
    "are there such CPUs, and in the container's cpuset?",
  );
  b.call("sched_setaffinity", [0, mask.length, { bytes: mask, shown: list }]);
}
