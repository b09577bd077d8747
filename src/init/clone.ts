import { ffi } from "../ffi/driver.js";
import type { Hint, Label } from "../machine/program.js";
import { type Builder, flags, slot, text } from "./builder.js";

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
  /** Whether it has memory of its own: who shares it with one that is killed for want of memory is killed, too. */
  readonly ownMemory?: boolean;
  /** Whether it becomes its maker's sibling, of the same parent. */
  readonly sibling?: boolean;
  /** Where the new process goes on, and its maker. Where there is no process, a maker without an end fails. */
  readonly child: Label;
  readonly end?: Label;
}

/** What the kernel means where it makes no process or namespace. */
export const NO_MORE: Hint = {
  EAGAIN: "pids.max of a cgroup, or the user's limit, allows no more processes",
  ENOSPC: "a limit in /proc/sys/user allows no more namespaces",
};

const SIGCHLD = 17;

/** The size of struct clone_args. */
const ARGS_SIZE = 88;

/**
 * Makes a process. Where an outer container's filter knows no clone3(2), clone(2) does, and the process moves itself to
 * the cgroup.
 */
export function clone(
  b: Builder,
  { name, flags: more, pidAddress, cgroup, ownMemory, sibling, child, end }: Clone,
): void {
  const [old, elsewhere, made] = [b.label(), b.label(), b.label()];
  const common = [...(pidAddress === undefined ? [] : ["CLONE_PARENT_SETTID"]), ...more];
  if (!ownMemory) common.unshift("CLONE_VM");
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
  b.call("clone3", [args, ARGS_SIZE], { zero: child, on: { ENOSYS: old, ...otherwise }, then });
  b.bind(old);
  const bits = { flags: common.join("|"), plus: signal };
  const address = pidAddress === undefined ? 0 : slot(pidAddress);
  const zero = cgroup === undefined ? child : elsewhere;
  b.call("clone", [bits, 0, address], { zero, on: otherwise, then });
  if (cgroup !== undefined) {
    b.bind(elsewhere);
    b.about("enter the cgroup", "linux.cgroupsPath");
    b.call("openat", [slot(cgroup), text("cgroup.procs"), flags("O_WRONLY", "O_CLOEXEC"), 0], { into: "processes" });
    b.call("write", [slot("processes"), { bytes: ffi.encode("0"), shown: '"0"' }, 1]);
    b.close("processes");
    b.jump(child);
  }
  b.bind(made);
}
