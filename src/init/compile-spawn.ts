import type { Program, Value } from "../machine/program.js";
import { Builder, flags, slot, text } from "./builder.js";

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
};

export const SIGCHLD = 17;

/**
 * struct clone_args of clone(2).
 *
 * @param pidAddress where the kernel stores the new process's id, and `cgroup` the descriptor of its cgroup: 0 or places
 */
export function cloneArgs(
  b: Builder,
  name: string,
  how: { flags: Value; exitSignal: number; pidAddress?: string; cgroup?: string },
): { at: string } {
  const place = (slotName: string | undefined) => (slotName === undefined ? 0 : { place: slotName });
  const fields = [how.flags, 0, 0, place(how.pidAddress), how.exitSignal, 0, 0, 0, 0, 0, place(how.cgroup)];
  return b.struct(`clone:${name}`, fields);
}

/** The size of struct clone_args. */
export const CLONE_ARGS_SIZE = 88;

/** A program beside the container's own, in messages: what it is, and the JSON path that it stems from. */
export interface Named {
  readonly what: string;
  readonly from: string;
}

/**
 * Compiles the start of a program beside the container's own: a hook. It runs inside the runtime's process, as the
 * launcher does. Slot `stdin` becomes its standard input, slot `output` its standard output and error; it leads a
 * process group of its own.
 *
 * @param executable the file, or the compiled program whose descriptor is slot `program`
 * @param joined the config names of the namespaces to join: those of the process whose descriptor is slot `process`
 */
export function compileSpawn(
  { what, from }: Named,
  executable: ExecutableFile | "program",
  joined: readonly string[],
): Program {
  const b = new Builder();
  const end = b.label();
  const inside = joined.length > 0;
  b.about(`start ${what}`, from);
  if (inside) {
    // A process id namespace takes in children only: a process between joins, and makes the program as its sibling.
    const child = b.label();
    const args = cloneArgs(b, "between", {
      flags: flags("CLONE_VM", "CLONE_VFORK", "CLONE_CLEAR_SIGHAND"),
      exitSignal: SIGCHLD,
    });
    b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child, on: { "*": end }, then: end });
    b.bind(child);
    b.slot("process");
    b.call("setns", [slot("process"), flags(...joined.map((type) => NAMESPACE_FLAGS[type]))]);
  }
  const child = b.label();
  const args = cloneArgs(b, "child", {
    flags: flags(
      "CLONE_VM",
      "CLONE_VFORK",
      "CLONE_CLEAR_SIGHAND",
      "CLONE_PARENT_SETTID",
      ...(inside ? ["CLONE_PARENT"] : []),
    ),
    exitSignal: inside ? 0 : SIGCHLD,
    pidAddress: "pid-address",
  });
  if (inside) {
    b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child });
    b.call("exit_group", [0]);
  } else b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child, on: { "*": end }, then: end });
  b.bind(child);
  b.call("setpgid", [0, 0]);
  for (const name of ["stdin", "output", "program"]) b.slot(name);
  b.call("dup3", [slot("stdin"), 0, 0]);
  b.call("dup3", [slot("output"), 1, 0]);
  b.call("dup3", [slot("output"), 2, 0]);
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
