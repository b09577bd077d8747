import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EINVAL } from "../linux/errno.js";
import { type Fd, writeAll } from "../linux/file.js";
import { attempt, must, sys } from "../linux/syscall.js";

/** The name that a program's file shows in /proc/PID/exe: how a created container is told from a running one. */
export const INIT_NAME = "fdrunc-init";

/** Writes an executable to memory and seals it: nobody can change what runs. memfd_create(2). Throws SyscallError. */
export function sealedExecutable(content: Uint8Array): Fd {
  const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING;
  let fd = attempt("memfd_create", cstring(INIT_NAME), flags | C.MFD_EXEC);
  // Kernels before 6.3 do not know MFD_EXEC, and need not be told.
  if (fd === -EINVAL) fd = attempt("memfd_create", cstring(INIT_NAME), flags);
  must("memfd_create", "create init's executable", fd);
  writeAll(fd, content);
  sys("fcntl", fd, C.F_ADD_SEALS, C.F_SEAL_SEAL | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE);
  return fd;
}
