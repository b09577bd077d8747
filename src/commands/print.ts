import { EPIPE } from "../linux/errno.js";
import { writeAll } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";

const write = (fd: number, text: string): void => {
  try {
    writeAll(fd, text);
  } catch (error) {
    // A reader that has seen enough is no failure.
    if (!(error instanceof SyscallError && error.errno === EPIPE)) throw error;
  }
};

/** Writes to standard output. */
export const print = (text: string): void => write(1, text);

/** Writes to standard error; there is nobody to tell where that fails. */
export function printError(text: string): void {
  try {
    write(2, text);
  } catch {
    // Closed, or full: the exit status is left.
  }
}
