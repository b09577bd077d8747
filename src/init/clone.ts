import type { Label } from "../machine/program.js";
import { type Builder, flags, slot } from "./builder.js";

/** A process to make. It shares memory with its maker, and touches none of it, until it executes something. */
export interface Clone {
  /** The name of its arguments in the program's memory. */
  readonly name: string;
  /** clone(2)'s flags beside CLONE_VM: namespaces, CLONE_VFORK, … */
  readonly flags: readonly string[];
  /** The slot with the address that takes the new process's id. */
  readonly pidAddress?: string;
  /** The slot with the descriptor of the cgroup v2 to start it in. */
  readonly cgroup?: string;
  /** Whether it becomes its maker's sibling, of the same parent. */
  readonly sibling?: boolean;
  /** Where the new process goes on, and its maker. Where there is no process, a maker without an end fails. */
  readonly child: Label;
  readonly end?: Label;
}

const SIGCHLD = 17;

/** The size of struct clone_args. */
const ARGS_SIZE = 88;

/** Makes a process. Where an outer container's filter knows no clone3(2), clone(2) does. */
export function clone(b: Builder, { name, flags: more, pidAddress, cgroup, sibling, child, end }: Clone): void {
  const [old, made] = [b.label(), b.label()];
  const common = ["CLONE_VM", ...(pidAddress === undefined ? [] : ["CLONE_PARENT_SETTID"]), ...more];
  if (sibling) common.push("CLONE_PARENT");
  // A sibling sends its parent the signal that its maker does.
  const signal = sibling ? 0 : SIGCHLD;
  const into = cgroup === undefined ? [] : ["CLONE_INTO_CGROUP"];
  const place = (slotName: string | undefined) => (slotName === undefined ? 0 : { place: slotName });
  const args = b.struct(`clone:${name}`, [
    flags(...common, "CLONE_CLEAR_SIGHAND", ...into),
    ...[0, 0, place(pidAddress), signal, 0, 0, 0, 0, 0, place(cgroup)],
  ]);
  const otherwise: Record<string, Label> = end === undefined ? {} : { "*": end };
  const then = end ?? made;
  // clone(2) starts no process in a cgroup.
  const on = cgroup === undefined ? { ENOSYS: old, ...otherwise } : otherwise;
  b.call("clone3", [args, ARGS_SIZE], { zero: child, on, then });
  if (cgroup === undefined) {
    b.bind(old);
    const bits = { flags: common.join("|"), plus: signal };
    const address = pidAddress === undefined ? 0 : slot(pidAddress);
    b.call("clone", [bits, 0, address], { zero: child, on: otherwise, then });
  }
  b.bind(made);
}
