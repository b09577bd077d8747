import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EACCES, EINVAL } from "../linux/errno.js";
import { type Fd, openat, using, writeAll } from "../linux/file.js";
import { attempt, must, sys } from "../linux/syscall.js";

/** The name that a program's file shows in /proc/PID/exe: how a created container is told from a running one. */
export const INIT_NAME = "fdrunc-init";

/** Writes an executable to memory and seals it: nobody can change what runs. memfd_create(2). Throws SyscallError. */
export function sealedExecutable(content: Uint8Array): Fd {
  const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING;
  let fd = attempt("memfd_create", cstring(INIT_NAME), flags | C.MFD_EXEC);
  // Kernels before 6.3 do not know MFD_EXEC, and need not be told.
  if (fd === -EINVAL) fd = attempt("memfd_create", cstring(INIT_NAME), flags);
  // With vm.memfd_noexec at 2 no memfd can be executed: then a file of a file system that nobody else sees.
  if (fd === -EACCES) return privateExecutable(content);
  must("memfd_create", "create init's executable", fd);
  writeAll(fd, content);
  sys("fcntl", fd, C.F_ADD_SEALS, C.F_SEAL_SEAL | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE);
  return fd;
}

/** Writes an executable to a tmpfs of its own, which is read-only then and attached nowhere. Throws SyscallError. */
function privateExecutable(content: Uint8Array): Fd {
  return using(sys("fsopen", cstring("tmpfs"), C.FSOPEN_CLOEXEC), (context) => {
    sys("fsconfig", context, C.FSCONFIG_CMD_CREATE, null, null, 0);
    return using(sys("fsmount", context, C.FSMOUNT_CLOEXEC, 0), (mount) => {
      using(openat(mount, INIT_NAME, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o500), (file) => writeAll(file, content));
      const readOnly = words(C.MOUNT_ATTR_RDONLY, 0, 0, 0);
      sys("mount_setattr", mount, cstring(""), C.AT_EMPTY_PATH, readOnly, readOnly.length);
      return openat(mount, INIT_NAME, C.O_PATH);
    });
  });
}
