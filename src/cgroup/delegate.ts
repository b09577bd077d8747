import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ENOENT } from "../linux/errno.js";
import { readFile } from "../linux/file.js";
import { attempt, expecting, must } from "../linux/syscall.js";

/** Where the kernel lists the files of a v2 cgroup that whoever it is left to may write to (cgroups(7), "Delegation"). */
const LIST = "/sys/kernel/cgroup/delegate";

/** Those that all kernels have, where it does not. */
const FILES = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/**
 * Leaves a v2 cgroup to a user, who may make others below it then, and move processes between them; its limits stay out
 * of reach (config-linux.md, "Cgroup ownership"). Throws SyscallError.
 */
export function delegate(directory: string, uid: number, list = LIST): void {
  const files = expecting([ENOENT], FILES, () => readFile(list).split("\n").filter(Boolean));
  for (const path of [directory, ...files.map((file) => `${directory}/${file}`)]) {
    const result = attempt("fchownat", C.AT_FDCWD, cstring(path), uid, -1, 0);
    // Which there are depends on the controllers.
    if (result !== -ENOENT) must("fchownat", ["change the owner of", path], result);
  }
}
