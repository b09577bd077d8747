import { EPIPE } from "../linux/errno.js";
import { writeAll } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";

/** Writes, and returns whether there is a reader: one that has seen enough is no failure. */
const write = (fd: number, text: string): boolean => {
  try {
    writeAll(fd, text);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.errno === EPIPE) return false;
    throw error;
  }
};

/** Writes to standard output. Returns false where nobody reads that any more. */
export const print = (text: string): boolean => write(1, text);

/** Writes to standard error; there is nobody to tell where that fails. */
export function printError(text: string): void {
  try {
    write(2, text);
  } catch {
    // Closed, or full: the exit status is left.
  }
}
