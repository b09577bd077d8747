import { cstring, fromCstring, type Path, viewOf, words } from "./bytes.js";
import { C } from "./constants.js";
import { ENODATA, EOPNOTSUPP } from "./errno.js";
import {
  type Fd,
  fstat,
  lstat,
  mkdir,
  openat,
  read,
  readDirectoryBytes,
  readlinkBytes,
  type Stat,
  using,
  writeAll,
} from "./file.js";
import { attempt, must, sys } from "./syscall.js";

/**
 * Copies what lies in one directory into another, with types, modes, owners, times and extended attributes: what a
 * tmpfs with option tmpcopyup starts with. Both descriptors may be O_PATH. Throws SyscallError.
 */
export function copyUp(source: Fd, target: Fd): void {
  using(openat(source, ".", C.O_RDONLY | C.O_DIRECTORY), (from) => {
    using(openat(target, ".", C.O_RDONLY | C.O_DIRECTORY), (to) => {
      copyEntries(from, to);
      finish(to, from, fstat(from));
    });
  });
}

function copyEntries(from: Fd, to: Fd): void {
  for (const { name } of readDirectoryBytes(from)) {
    const status = lstat(name, from);
    if (status !== undefined) copyEntry(name, status, from, to);
  }
}

function copyEntry(name: Uint8Array, status: Stat, from: Fd, to: Fd): void {
  const type = status.mode & C.S_IFMT;
  if (type === C.S_IFLNK) {
    sys("symlinkat", cstring(readlinkBytes(name, from)), to, cstring(name));
    finishUnopened(name, status, from, to);
  } else if (type === C.S_IFDIR) {
    mkdir(name, 0o700, to);
    const open = (directory: Fd) => openat(directory, name, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
    using(open(from), (source) => {
      using(open(to), (target) => {
        copyEntries(source, target);
        finish(target, source, status);
      });
    });
  } else if (type === C.S_IFREG) {
    using(openat(from, name, C.O_RDONLY | C.O_NOFOLLOW), (source) => {
      using(openat(to, name, C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW, 0o600), (target) => {
        copyContent(source, target);
        finish(target, source, status);
      });
    });
  } else {
    const { major, minor } = status.device;
    const number = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
    sys("mknodat", to, cstring(name), status.mode, number);
    finishUnopened(name, status, from, to);
  }
}

function copyContent(source: Fd, target: Fd): void {
  const bytes = new Uint8Array(65536);
  for (let count = read(source, bytes); count > 0; count = read(source, bytes))
    writeAll(target, bytes.subarray(0, count));
}

/** Gives a copy its owner, mode, extended attributes and times. The owner comes first: changing it clears set-id bits. */
function finish(target: Fd, source: Fd, { uid, gid, mode }: Stat): void {
  sys("fchown", target, uid, gid);
  sys("fchmod", target, mode & 0o7777);
  copyAttributes(source, target);
  sys("utimensat", target, null, timesOf(source, "", C.AT_EMPTY_PATH), 0);
}

/** The same for what is not opened: links, devices and pipes. */
function finishUnopened(name: Uint8Array, { uid, gid }: Stat, from: Fd, to: Fd): void {
  sys("fchownat", to, cstring(name), uid, gid, C.AT_SYMLINK_NOFOLLOW);
  const times = timesOf(from, name, C.AT_SYMLINK_NOFOLLOW);
  sys("utimensat", to, cstring(name), times, C.AT_SYMLINK_NOFOLLOW);
}

/** When a file was read and changed last, as utimensat(2) takes it. */
function timesOf(directory: Fd, name: Path, flags: number): Uint8Array {
  const status = new Uint8Array(256);
  sys("statx", directory, cstring(name), flags, C.STATX_BASIC_STATS, status);
  const view = viewOf(status);
  const time = (at: number) => [view.getBigInt64(at, true), BigInt(view.getUint32(at + 8, true))];
  return words(...time(64), ...time(112));
}

function copyAttributes(source: Fd, target: Fd): void {
  const names = new Uint8Array(65536);
  const length = attempt("flistxattr", source, names, names.length);
  if (length === -EOPNOTSUPP) return;
  must("flistxattr", "list extended attributes", length);
  for (let rest = names.subarray(0, length); rest.length > 0; ) {
    const name = rest.subarray(0, rest.indexOf(0) + 1);
    rest = rest.subarray(name.length);
    const value = new Uint8Array(65536);
    const size = attempt("fgetxattr", source, name, value, value.length);
    if (size === -ENODATA) continue;
    must("fgetxattr", ["read extended attribute", fromCstring(name)], size);
    const result = attempt("fsetxattr", target, name, value, size, 0);
    if (result !== -EOPNOTSUPP) must("fsetxattr", ["set extended attribute", fromCstring(name)], result);
  }
}
