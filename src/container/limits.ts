import type { Process } from "../generated/config.js";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EPERM } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { writeFile } from "../linux/file.js";
import { attempt, SyscallError } from "../linux/syscall.js";

/** Sets a process's resource limits. The runtime does it, since init may have no right to raise one. Throws Failure. */
export function setRlimits(pid: number, { rlimits = [] }: Process): void {
  rlimits.forEach(({ type, soft, hard }, i) => {
    const number = C[type as keyof typeof C];
    const result = attempt("prlimit64", pid, number, words(soft, hard), null);
    if (result < 0)
      throw new Failure(`process.rlimits[${i}]: set ${type} to ${soft} (soft), ${hard} (hard)`, {
        cause: new SyscallError("prlimit64", -result),
        ...(result === -EPERM && { hint: "raising a hard limit takes CAP_SYS_RESOURCE" }),
      });
  });
}

/** Sets how readily the kernel kills a process for want of memory. Unset stays as it is. Throws Failure. */
export function setOomScoreAdj(pid: number, { oomScoreAdj }: Process): void {
  if (oomScoreAdj === undefined) return;
  try {
    writeFile(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj));
  } catch (cause) {
    throw new Failure("process.oomScoreAdj", { cause, hint: "lowering it takes CAP_SYS_RESOURCE" });
  }
}
