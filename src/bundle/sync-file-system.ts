import { closeSync, openSync } from "node:fs";
import { C } from "../linux/constants.js";
import { attempt, must } from "../linux/syscall.js";

/** Waits until all that was written to the file system of a directory is on its disk. Throws SyscallError. syncfs(2) */
export function syncFileSystem(directory: string): void {
  const fd = openSync(directory, C.O_RDONLY | C.O_DIRECTORY);
  try {
    must("syncfs", ["sync the file system of", directory], attempt("syncfs", fd));
  } finally {
    closeSync(fd);
  }
}
