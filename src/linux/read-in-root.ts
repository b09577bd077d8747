import { ffi } from "../ffi/driver.js";
import { C } from "./constants.js";
import { close, fstat, open, openat2, readAll } from "./file.js";
import { SyscallError } from "./syscall.js";

/** Longer than any file that is read this way should be, in bytes. */
const LIMIT = 8 << 20;

/**
 * A text file inside a root, whatever links the image has; empty where there is none that can be read, or it is
 * something else: reading a device would not end.
 */
export function readInRoot(rootfs: string, path: string): string {
  let root: number | undefined;
  let file: number | undefined;
  try {
    root = open(rootfs, C.O_PATH | C.O_DIRECTORY);
    file = openat2(root, path, C.O_RDONLY | C.O_NONBLOCK, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
    const { mode, size } = fstat(file);
    return (mode & C.S_IFMT) === C.S_IFREG && size <= LIMIT ? ffi.decode(readAll(file)) : "";
  } catch (error) {
    if (error instanceof SyscallError) return "";
    throw error;
  } finally {
    if (file !== undefined) close(file);
    if (root !== undefined) close(root);
  }
}
