import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { C } from "../linux/constants.js";
import { ENOENT, ENOTDIR } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, openat2, quote } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";
import type { ImageFiles } from "./image-files.js";

/** How much is read at once, in bytes. */
const PIECE = 1 << 18;

/** An image in a directory: a tarball that was unpacked, or an OCI layout. Links in it lead to nothing outside. */
export class DirectoryFiles implements ImageFiles {
  private readonly directory: Fd;

  constructor(path: string) {
    this.directory = openSync(path, C.O_PATH | C.O_DIRECTORY);
  }

  size(name: string): number | undefined {
    const fd = this.open(name);
    if (fd === undefined) return undefined;
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  }

  *read(name: string): Generator<Buffer, void> {
    const fd = this.open(name);
    if (fd === undefined) throw new Failure(`no file ${quote(name)}`);
    try {
      for (;;) {
        const bytes = Buffer.allocUnsafe(PIECE);
        const count = readSync(fd, bytes);
        if (count === 0) return;
        yield bytes.subarray(0, count);
      }
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    closeSync(this.directory);
  }

  /** Opens a regular file; undefined where there is none. */
  private open(name: string): Fd | undefined {
    let fd: Fd;
    try {
      // A fifo must not be waited for.
      fd = openat2(this.directory, name, C.O_RDONLY | C.O_NONBLOCK, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
    } catch (error) {
      if (error instanceof SyscallError && [ENOENT, ENOTDIR].includes(error.errno)) return undefined;
      throw error;
    }
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    return undefined;
  }
}
