import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EBUSY, ENODEV, ENOENT, EOPNOTSUPP, errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { DT_DIR, open, quote, readDirectory, readFile, using } from "../linux/file.js";
import { sleep } from "../linux/sleep.js";
import { attempt, expecting } from "../linux/syscall.js";

/** The ids of the processes in a cgroup and in those below it; none where it does not exist. Throws SyscallError. */
export function processesIn(directory: string): number[] {
  // A cgroup may go meanwhile; a threaded one has its processes listed in the one above.
  const text = expecting([ENOENT, ENODEV, EOPNOTSUPP], "", () => readFile(`${directory}/cgroup.procs`));
  const own = text.split("\n").filter(Boolean).map(Number);
  return [...own, ...childrenOf(directory).flatMap(processesIn)];
}

/** The longest wait between two attempts to remove a cgroup, in milliseconds; the shortest is 1, and each is doubled. */
const LONGEST_WAIT = 512;

/**
 * Removes a cgroup and those below it; absent is fine.
 *
 * @param patient whether to wait, about a second, for processes that are ending
 * @throws Failure if there are processes left in it
 */
export function removeCgroup(directory: string, patient: boolean): void {
  for (let wait = 1; ; wait *= 2) {
    const errno = -attempt("unlinkat", C.AT_FDCWD, cstring(directory), C.AT_REMOVEDIR);
    // Just being removed by another process, or gone.
    if (errno === 0 || errno === ENODEV || errno === ENOENT) return;
    const children = childrenOf(directory);
    if (errno !== EBUSY || (children.length === 0 && (!patient || wait > LONGEST_WAIT))) {
      const left = processesIn(directory).length;
      throw new Failure(`remove cgroup ${quote(directory)}`, {
        cause: `${errnoText(errno)} (${errnoName(errno)})`,
        hint: left === 0 ? undefined : left === 1 ? "a process is left in it" : `${left} processes are left in it`,
      });
    }
    for (const child of children) removeCgroup(child, patient);
    if (children.length === 0) sleep(wait);
  }
}

/** The cgroups directly below. */
function childrenOf(directory: string): string[] {
  const entries = expecting([ENOENT], [], () => using(open(directory, C.O_RDONLY | C.O_DIRECTORY), readDirectory));
  return entries.filter(({ type }) => type === DT_DIR).map(({ name }) => `${directory}/${name}`);
}
