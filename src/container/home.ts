import { ffi } from "../ffi/driver.js";
import { C } from "../linux/constants.js";
import { close, open, openat2, readAll } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";

/** The home directory of a user as /etc/passwd inside a root file system has it (passwd(5)); "/" where it does not. */
export function homeOf(rootfs: string, uid: number): string {
  for (const line of readInRoot(rootfs, "etc/passwd").split("\n")) {
    const fields = line.split(":");
    if (fields[2] === String(uid) && fields[5]) return fields[5];
  }
  return "/";
}

/** A file inside a root, whatever links the image has; empty where it cannot be read. */
function readInRoot(rootfs: string, path: string): string {
  let root: number | undefined;
  let file: number | undefined;
  try {
    root = open(rootfs, C.O_PATH | C.O_DIRECTORY);
    file = openat2(root, path, C.O_RDONLY | C.O_NONBLOCK, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
    return ffi.decode(readAll(file));
  } catch (error) {
    if (error instanceof SyscallError) return "";
    throw error;
  } finally {
    if (file !== undefined) close(file);
    if (root !== undefined) close(root);
  }
}
