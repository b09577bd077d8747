import { EINVAL, ESRCH } from "../linux/errno.js";
import { type Fd, using } from "../linux/file.js";
import { openProcess, processStatus } from "../linux/process.js";
import { SyscallError } from "../linux/syscall.js";
import type { Saved } from "./saved.js";
import { isAlive } from "./status.js";

/** What is saved of a container once it has a first process: which one that is. */
export const recordProcess = (saved: Saved, pid: number): Saved => ({
  ...saved,
  pid,
  startTime: processStatus(pid)?.startTime ?? 0,
});

/**
 * Does something with a descriptor of a container's init: with that of the very process that was recorded, whose id
 * cannot become another's meanwhile. Returns undefined where it has ended. Throws SyscallError. pidfd_open(2)
 */
export function withProcess<T>(saved: Saved, act: (process: Fd) => T): T | undefined {
  if (saved.pid === 0) return undefined;
  try {
    return using(openProcess(saved.pid), (process) => (isAlive(saved) ? act(process) : undefined));
  } catch (error) {
    if (error instanceof SyscallError && GONE.includes(error.errno)) return undefined;
    throw error;
  }
}

/** Older kernels (6.1) answer EINVAL where the id lives on as that of a session or process group. */
const GONE = [ESRCH, EINVAL];
