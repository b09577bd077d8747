import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EACCES, EINVAL, EPERM } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, openat, using, writeAll } from "../linux/file.js";
import { attempt, must, sys } from "../linux/syscall.js";

/** The name that a program's file shows in /proc/PID/exe: how a created container is told from a running one. */
export const INIT_NAME = "fdrunc-init";

/** A file that can be executed and that, once written, nobody can change. */
export interface Executable {
  /** What execveat(2) takes; may be handed on before the content is written. */
  readonly fd: Fd;
  /** Writes the content and closes the file to any change. Throws SyscallError. */
  write(content: Uint8Array): void;
}

/**
 * Makes an executable without content: in memory, sealed once it is written. memfd_create(2). Throws Failure,
 * SyscallError.
 */
export function createExecutable(): Executable {
  const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING;
  let fd = attempt("memfd_create", cstring(INIT_NAME), flags | C.MFD_EXEC);
  // Kernels before 6.3 do not know MFD_EXEC, and need not be told.
  if (fd === -EINVAL) fd = attempt("memfd_create", cstring(INIT_NAME), flags);
  // With vm.memfd_noexec at 2 no memfd can be executed.
  if (fd === -EACCES) return createPrivateExecutable();
  must("memfd_create", "create init's executable", fd);
  return {
    fd,
    write(content) {
      writeAll(fd, content);
      sys("fcntl", fd, C.F_ADD_SEALS, C.F_SEAL_SEAL | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE);
    },
  };
}

/** The same in a tmpfs of its own, which is attached nowhere and becomes read-only. */
function createPrivateExecutable(): Executable {
  const opened = attempt("fsopen", cstring("tmpfs"), C.FSOPEN_CLOEXEC);
  if (opened === -EPERM)
    throw new Failure("make init's executable", {
      cause: "the kernel lets no file in memory be executed, and only root can do without",
      hint: "`sysctl vm.memfd_noexec=1` lets it",
    });
  const mount = using(must("fsopen", "make a file system for init's executable", opened), (context) => {
    sys("fsconfig", context, C.FSCONFIG_CMD_CREATE, null, null, 0);
    return sys("fsmount", context, C.FSMOUNT_CLOEXEC, 0);
  });
  close(openat(mount, INIT_NAME, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o555));
  return {
    fd: openat(mount, INIT_NAME, C.O_PATH),
    write(content) {
      // Opened only now: while anybody has it open for writing, it cannot be executed.
      using(openat(mount, INIT_NAME, C.O_WRONLY), (file) => writeAll(file, content));
      const readOnly = words(C.MOUNT_ATTR_RDONLY, 0, 0, 0);
      sys("mount_setattr", mount, cstring(""), C.AT_EMPTY_PATH, readOnly, readOnly.length);
      close(mount);
    },
  };
}
