import { joinsCgroupBesideUser } from "../config/rules/namespaces.js";
import type { Config } from "../generated/config.js";
import { SIGKILL } from "../linux/signals.js";
import type { Label, Program } from "../machine/program.js";
import { Builder, flags, slot, text } from "./builder.js";
import { type Clone, clone } from "./clone.js";
import { send, wait } from "./message.js";

/** A file to execute, by path, with its arguments (the first is its name for itself) and environment. */
export interface ExecutableFile {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** The namespaces by config name: setns(2)'s flag. */
export const NAMESPACE_FLAGS: Record<string, string> = {
  mount: "CLONE_NEWNS",
  uts: "CLONE_NEWUTS",
  ipc: "CLONE_NEWIPC",
  user: "CLONE_NEWUSER",
  pid: "CLONE_NEWPID",
  network: "CLONE_NEWNET",
  cgroup: "CLONE_NEWCGROUP",
  time: "CLONE_NEWTIME",
};

/** Compiles becoming root in a user namespace: executing anything as an id that is not mapped loses all capabilities. */
export function becomeRoot(b: Builder, keepsGroups = false): void {
  b.call("setresgid", [0, 0, 0]);
  if (!keepsGroups) b.call("setgroups", [0, 0], { on: { EPERM: "next" } });
  b.call("setresuid", [0, 0, 0]);
}

/**
 * Compiles the process between: it joins what the process that is to be made could not join itself, or would be seen
 * in, and then makes that one as its sibling. The steps that follow are its own; its maker goes on at `end`. `place` is
 * where it starts.
 */
export function startBetween(b: Builder, end: Label, place: Pick<Clone, "cgroup" | "ownMemory"> = {}): void {
  const child = b.label();
  clone(b, { name: "between", flags: [], child, end, ...place });
  b.bind(child);
  // Whoever lives in the namespaces could otherwise look into this process, and through it into the runtime.
  b.call("prctl", [flags("PR_SET_DUMPABLE"), 0]);
}

/** What a process that is added to a container enters. */
export interface Entry {
  /** The config names of the namespaces to join: those of the process whose descriptor is slot `process`. */
  readonly joined: readonly string[];
  /** Who starts in the cgroup v2 whose descriptor is slot `cgroup`, if anyone: the process between takes it along. */
  readonly enters?: "itself" | "between" | undefined;
  /** Whether it waits, once it is in its namespaces, to be moved to its cgroup. */
  readonly isMoved?: boolean;
}

/** Who starts in the cgroup, where it is one to start `into`. */
export const entering = (config: Config, into: boolean): Entry["enters"] =>
  into ? (joinsCgroupBesideUser(config) ? "between" : "itself") : undefined;

/** Where the process between starts. */
export const placeOfBetween = ({ enters }: Entry): Pick<Clone, "cgroup"> =>
  enters === "between" ? { cgroup: "cgroup" } : {};

/**
 * Compiles the start of a process inside a container, by a process between that has just been started: the steps that
 * follow are the new process's. `more` are further flags of clone(2).
 */
export function startInside(b: Builder, { joined, enters }: Entry, more: readonly string[] = []): void {
  // In another cgroup namespace the cgroup to start in might not be there: the process joins that one itself.
  const isLate = (type: string) => enters === "itself" && type === "cgroup";
  join(
    b,
    joined.filter((type) => !isLate(type)),
  );
  const child = b.label();
  const process = { name: "child", flags: more, pidAddress: "pid-address", sibling: true, child };
  clone(b, enters === "itself" ? { ...process, cgroup: "cgroup" } : process);
  b.call("exit_group", [0]);
  b.bind(child);
  join(b, joined.filter(isLate));
}

function join(b: Builder, types: readonly string[]): void {
  if (types.length === 0) return;
  b.slot("process");
  b.call("setns", [slot("process"), flags(...types.map((type) => NAMESPACE_FLAGS[type]))]);
}

/** Compiles the execution of the compiled program whose descriptor is slot `program`; `name` is its name for itself. */
export function executeProgram(b: Builder, name: string): void {
  b.slot("program");
  b.call("execveat", [slot("program"), text(""), { strings: [name] }, { strings: [] }, flags("AT_EMPTY_PATH")]);
}

/** A program beside the container's own, in messages: what it is, and the JSON path that it stems from. */
export interface Named {
  readonly what: string;
  readonly from?: string;
  /** Whether it is killed when the process ends that has started it. */
  readonly diesWithStarter?: boolean;
}

/**
 * Compiles the start of a program beside the container's own: a hook, or criu. It runs inside the runtime's process, as
 * the launcher does. Slots `stdin`, `stdout` and `stderr` become its standard streams, or it keeps the runtime's; it leads a process group of its own.
 *
 * @param executable the file, or the compiled program whose descriptor is slot `program`
 * @param entry what it enters; absent: it stays with the runtime
 */
export function compileSpawn(
  { what, from, diesWithStarter }: Named,
  executable: ExecutableFile | "program",
  entry: Entry | undefined,
  streams: "its own" | "the runtime's",
): Program {
  const b = new Builder();
  const end = b.label();
  b.about(`start ${what}`, from);
  if (entry === undefined) {
    const child = b.label();
    clone(b, { name: "child", flags: ["CLONE_VFORK"], pidAddress: "pid-address", child, end });
    b.bind(child);
  } else {
    startBetween(b, end, placeOfBetween(entry));
    startInside(b, entry, entry.isMoved ? [] : ["CLONE_VFORK"]);
    if (entry.isMoved) {
      b.about(`wait until ${what} is moved to the container's cgroup`, from);
      send(b, "isolated", "report");
      wait(b, "report");
      b.about(`start ${what}`, from);
    }
  }
  if (entry?.joined.includes("user")) becomeRoot(b);
  b.call("setpgid", [0, 0]);
  if (diesWithStarter) b.call("prctl", [flags("PR_SET_PDEATHSIG"), SIGKILL]);
  if (streams === "its own") {
    for (const name of ["stdin", "stdout", "stderr"]) b.slot(name);
    b.call("dup3", [slot("stdin"), 0, 0]);
    b.call("dup3", [slot("stdout"), 1, 0]);
    b.call("dup3", [slot("stderr"), 2, 0]);
  }
  b.about(`exec ${what}`, from);
  if (executable === "program") executeProgram(b, "fdrunc-hook");
  else {
    b.call("close_range", [3, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
    b.call("execve", [text(executable.path), { strings: executable.args }, { strings: executable.env }]);
  }
  b.bind(end);
  return b.finish();
}
