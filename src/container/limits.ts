import type { Process } from "../generated/config.js";
import { limitSays, RAISING } from "../init/limits.js";
import { SCHEDULING_HINT, schedulingCalls } from "../init/scheduling.js";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { errnoName } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { writeFile } from "../linux/file.js";
import { attempt, SyscallError } from "../linux/syscall.js";

/** Sets a process's resource limits from outside: in a user namespace it may not raise them. Throws Failure. */
export function setRlimits(pid: number, { rlimits = [] }: Process): void {
  rlimits.forEach((limit, i) => {
    const number = C[limit.type as keyof typeof C];
    const result = attempt("prlimit64", pid, number, words(limit.soft, limit.hard), null);
    if (result >= 0) return;
    const [says, from] = limitSays(limit, i);
    throw new Failure(`${from}: ${says}`, { cause: new SyscallError("prlimit64", -result), hint: RAISING });
  });
}

/** Sets from outside how the kernel schedules a process. Throws Failure. */
export function setScheduling(pid: number, process: Process): void {
  for (const { says, from, call, args } of schedulingCalls(process)) {
    const [a, b, c] = args(pid).map((arg) => (typeof arg === "number" ? arg : words(...arg)));
    const result = attempt(call, a, b, c);
    if (result >= 0) continue;
    const hint = SCHEDULING_HINT[errnoName(-result) as keyof typeof SCHEDULING_HINT];
    throw new Failure(`${from}: ${says}`, { cause: new SyscallError(call, -result), ...(hint && { hint }) });
  }
}

/** Sets how readily the kernel kills a process for want of memory. Unset stays as it is. Throws Failure. */
export function setOomScoreAdj(pid: number, { oomScoreAdj }: Process): void {
  if (oomScoreAdj === undefined) return;
  try {
    writeFile(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj));
  } catch (cause) {
    throw new Failure("process.oomScoreAdj", {
      cause,
      hint: "it takes CAP_SYS_RESOURCE to lower it, and to raise it that container id 0 is the caller's own",
    });
  }
}
