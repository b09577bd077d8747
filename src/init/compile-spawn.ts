import type { Program } from "../machine/program.js";
import { Builder, flags, slot, text } from "./builder.js";
import { clone } from "./clone.js";

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
export function becomeRoot(b: Builder): void {
  b.call("setresgid", [0, 0, 0]);
  b.call("setgroups", [0, 0], { on: { EPERM: "next" } });
  b.call("setresuid", [0, 0, 0]);
}

/** A program beside the container's own, in messages: what it is, and the JSON path that it stems from. */
export interface Named {
  readonly what: string;
  readonly from?: string;
}

/**
 * Compiles the start of a program beside the container's own: a hook, or criu. It runs inside the runtime's process, as
 * the launcher does. Slot `stdin` becomes its standard input, slot `output` its standard output and error, or it keeps
 * the runtime's; it leads a process group of its own.
 *
 * @param executable the file, or the compiled program whose descriptor is slot `program`
 * @param joined the config names of the namespaces to join: those of the process whose descriptor is slot `process`
 */
export function compileSpawn(
  { what, from }: Named,
  executable: ExecutableFile | "program",
  joined: readonly string[],
  streams: "its own" | "the runtime's",
): Program {
  const b = new Builder();
  const end = b.label();
  const inside = joined.length > 0;
  b.about(`start ${what}`, from);
  if (inside) {
    // A process id namespace takes in children only: a process between joins, and makes the program as its sibling.
    const child = b.label();
    clone(b, { name: "between", flags: ["CLONE_VFORK"], child, end });
    b.bind(child);
    // Whoever lives in the namespaces could otherwise look into this process, and through it into the runtime.
    b.call("prctl", [flags("PR_SET_DUMPABLE"), 0]);
    b.slot("process");
    b.call("setns", [slot("process"), flags(...joined.map((type) => NAMESPACE_FLAGS[type]))]);
  }
  const child = b.label();
  const process = { name: "child", flags: ["CLONE_VFORK"], pidAddress: "pid-address", child };
  if (inside) {
    clone(b, { ...process, sibling: true });
    b.call("exit_group", [0]);
  } else clone(b, { ...process, end });
  b.bind(child);
  if (joined.includes("user")) becomeRoot(b);
  b.call("setpgid", [0, 0]);
  b.slot("program");
  if (streams === "its own") {
    for (const name of ["stdin", "output"]) b.slot(name);
    b.call("dup3", [slot("stdin"), 0, 0]);
    b.call("dup3", [slot("output"), 1, 0]);
    b.call("dup3", [slot("output"), 2, 0]);
  }
  b.about(`exec ${what}`, from);
  if (executable === "program")
    b.call("execveat", [slot("program"), text(""), { strings: [] }, { strings: [] }, flags("AT_EMPTY_PATH")]);
  else {
    b.call("close_range", [3, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
    b.call("execve", [text(executable.path), { strings: executable.args }, { strings: executable.env }]);
  }
  b.bind(end);
  return b.finish();
}
