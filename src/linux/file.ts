import { ffi } from "../ffi/driver.js";
import { cstring, fromCstring, type Path, viewOf, words } from "./bytes.js";
import { C } from "./constants.js";
import { EEXIST, ENOENT } from "./errno.js";
import { attempt, attemptAgain, must, SyscallError, sys } from "./syscall.js";

/** A file descriptor's number. */
export type Fd = number;

/** Opens a file relative to a directory's descriptor, always close-on-exec. Throws SyscallError. openat(2) */
export function openat(dir: Fd, path: Path, flags: number, mode = 0): Fd {
  return must("openat", ["open", path], attemptAgain("openat", dir, cstring(path), flags | C.O_CLOEXEC, mode));
}

/** Opens a file by path, close-on-exec. Throws SyscallError. */
export const open = (path: string, flags: number, mode = 0): Fd => openat(C.AT_FDCWD, path, flags, mode);

/** Opens `path` below `dir` under openat2's `resolve` rules (RESOLVE_IN_ROOT, …). Throws SyscallError. openat2(2) */
export function openat2(dir: Fd, path: string, flags: number, resolve: number, mode = 0): Fd {
  const how = words(flags | C.O_CLOEXEC, mode, resolve);
  return must("openat2", ["open", path], attemptAgain("openat2", dir, cstring(path), how, how.length));
}

export function close(fd: Fd): void {
  attempt("close", fd);
}

/** Closes descriptors, neighbours in one go. close_range(2) */
export function closeAll(fds: readonly Fd[]): void {
  const sorted = fds.toSorted((a, b) => a - b);
  for (let first = 0, next = 1; first < sorted.length; first = next++) {
    while (sorted[next] === sorted[next - 1] + 1) next++;
    attempt("close_range", sorted[first], sorted[next - 1], 0);
  }
}

/** Runs `use` with an open descriptor and closes it whatever happens. */
export function using<T>(fd: Fd, use: (fd: Fd) => T): T {
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}

/** Runs `use` with an open file as soon as no other process has its lock, and closes it whatever happens. flock(2) */
export const whileLocked = <T>(fd: Fd, use: (fd: Fd) => T): T =>
  using(fd, () => {
    sys("flock", fd, C.LOCK_EX);
    return use(fd);
  });

/** Runs `use` with a function that takes descriptors, and closes those whatever happens. */
export function keeping<T>(use: (keep: (fd: Fd) => Fd) => T): T {
  const kept: Fd[] = [];
  try {
    return use((fd) => {
      kept.push(fd);
      return fd;
    });
  } finally {
    closeAll(kept);
  }
}

/** Reads up to `bytes.length` bytes. Returns how many; 0 at the end. Throws SyscallError. */
export const read = (fd: Fd, bytes: Uint8Array): number => sys("read", fd, bytes, bytes.length);

/** Reads until the end. `size` is what there is room for at first; best, one more byte than there are. Throws SyscallError. */
export function readAll(fd: Fd, size = 4096): Uint8Array {
  let bytes = new Uint8Array(size);
  let length = 0;
  for (;;) {
    const count = read(fd, bytes.subarray(length));
    if (count === 0) return bytes.subarray(0, length);
    length += count;
    if (length < bytes.length) continue;
    const larger = new Uint8Array(4 * length);
    larger.set(bytes);
    bytes = larger;
  }
}

/** Writes all of it. Throws SyscallError. */
export function writeAll(fd: Fd, data: Uint8Array | string): void {
  let rest = typeof data === "string" ? ffi.encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(sys("write", fd, rest, rest.length));
}

/** A whole file's bytes, its path relative to `dir`. Throws SyscallError. */
export function readFileBytes(path: string, dir: Fd = C.AT_FDCWD): Uint8Array {
  return using(openat(dir, path, C.O_RDONLY), (fd) => naming("read", path, () => readAll(fd)));
}

/** A whole file as text, its path relative to `dir`. Throws SyscallError. */
export const readFile = (path: string, dir?: Fd): string => ffi.decode(readFileBytes(path, dir));

/** Writes to an existing file in one write(2), as the kernel's own files want it. Throws SyscallError. */
export function writeFile(path: string, data: Uint8Array | string, dir: Fd = C.AT_FDCWD): void {
  using(openat(dir, path, C.O_WRONLY), (fd) => naming("write", path, () => writeAll(fd, data)));
}

/** Like `writeFile`, but returns 0 or a negated errno. */
export function attemptWriteFile(path: string, data: Uint8Array | string, dir: Fd = C.AT_FDCWD): number {
  const fd = attemptAgain("openat", dir, cstring(path), C.O_WRONLY | C.O_CLOEXEC);
  if (fd < 0) return fd;
  const bytes = typeof data === "string" ? ffi.encode(data) : data;
  return using(fd, () => Math.min(attemptAgain("write", fd, bytes, bytes.length), 0));
}

/** Creates or replaces a file so that readers see the old content or the new, never a part. Throws SyscallError. */
export function replaceFile(path: string, data: Uint8Array | string, mode: number, dir: Fd = C.AT_FDCWD): void {
  const temporary = `${path}.${sys("getpid")}.tmp`;
  const fd = openat(dir, temporary, C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_NOFOLLOW, mode);
  try {
    using(fd, () => naming("write", path, () => writeAll(fd, data)));
    rename(temporary, path, dir);
  } catch (error) {
    attempt("unlinkat", dir, cstring(temporary), 0);
    throw error;
  }
}

export function rename(from: string, to: string, dir: Fd = C.AT_FDCWD): void {
  must("renameat2", ["rename", from], attempt("renameat2", dir, cstring(from), dir, cstring(to), 0));
}

/** Makes a directory. Throws SyscallError, EEXIST among them. */
export function mkdir(path: Path, mode: number, dir: Fd = C.AT_FDCWD): void {
  must("mkdirat", ["mkdir", path], attempt("mkdirat", dir, cstring(path), mode));
}

/**
 * Makes a directory and its parents; those that exist, or that another process makes at the same time, are left as they
 * are. Throws SyscallError.
 */
export function mkdirAll(path: string, mode: number): void {
  let result = attempt("mkdirat", C.AT_FDCWD, cstring(path), mode);
  if (result === -ENOENT && path.lastIndexOf("/") > 0) {
    mkdirAll(path.slice(0, path.lastIndexOf("/")), mode);
    result = attempt("mkdirat", C.AT_FDCWD, cstring(path), mode);
  }
  if (result !== -EEXIST) must("mkdirat", ["mkdir", path], result);
}

/** Removes an empty directory. Throws SyscallError. */
export function rmdir(path: string, dir: Fd = C.AT_FDCWD): void {
  must("unlinkat", ["rmdir", path], attempt("unlinkat", dir, cstring(path), C.AT_REMOVEDIR));
}

/** Removes a file, not a directory. Throws SyscallError. */
export function unlink(path: string, dir: Fd = C.AT_FDCWD): void {
  must("unlinkat", ["remove", path], attempt("unlinkat", dir, cstring(path), 0));
}

/** Removes a directory and all below it, following no symbolic link; absent is fine. Throws SyscallError. */
export function removeTree(path: string, dir: Fd = C.AT_FDCWD): void {
  const fd = attempt("openat", dir, cstring(path), C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW | C.O_CLOEXEC);
  if (fd === -ENOENT) return;
  using(must("openat", ["open", path], fd), (opened) => {
    for (const { name, type } of readDirectory(opened)) {
      if (type === DT_DIR) removeTree(name, opened);
      else unlink(name, opened);
    }
  });
  rmdir(path, dir);
}

/** What readlink(2) says. Throws SyscallError. */
export const readlink = (path: string, dir?: Fd): string => ffi.decode(readlinkBytes(path, dir));

/** The same as bytes. */
export function readlinkBytes(path: Path, dir: Fd = C.AT_FDCWD): Uint8Array {
  const bytes = new Uint8Array(4096);
  const size = attempt("readlinkat", dir, cstring(path), bytes, bytes.length);
  return bytes.subarray(0, must("readlinkat", ["readlink", path], size));
}

/** A file's status, of statx(2): ids, sizes in bytes, `device` the numbers of a device file. */
export interface Stat {
  /** Type and permissions, as S_IFMT and below define them. */
  mode: number;
  uid: number;
  gid: number;
  inode: bigint;
  links: number;
  size: number;
  device: { major: number; minor: number };
  /** The device of the file system that the file lies on. */
  fileSystem: { major: number; minor: number };
  /** The id of the mount that it was found on, as /proc/self/mountinfo has it. */
  mount: number;
}

/** A file's status, or undefined where there is none of this path. Other failures throw SyscallError. */
export function stat(path: Path, dir: Fd = C.AT_FDCWD, flags = 0): Stat | undefined {
  const bytes = new Uint8Array(256);
  const result = attempt("statx", dir, cstring(path), flags, C.STATX_BASIC_STATS | C.STATX_MNT_ID, bytes);
  if (result === -ENOENT) return undefined;
  must("statx", ["stat", path], result);
  const view = viewOf(bytes);
  const u32 = (at: number) => view.getUint32(at, true);
  return {
    links: u32(16),
    uid: u32(20),
    gid: u32(24),
    mode: view.getUint16(28, true),
    inode: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    device: { major: u32(128), minor: u32(132) },
    fileSystem: { major: u32(136), minor: u32(140) },
    mount: u32(144),
  };
}

/** The status of what a symbolic link is, not of what it names. */
export const lstat = (path: Path, dir?: Fd): Stat | undefined => stat(path, dir, C.AT_SYMLINK_NOFOLLOW);

/** The status of an open file. */
export const fstat = (fd: Fd): Stat => stat("", fd, C.AT_EMPTY_PATH) as Stat;

export const isDirectory = ({ mode }: Stat): boolean => (mode & C.S_IFMT) === C.S_IFDIR;

export const exists = (path: string, dir?: Fd): boolean => stat(path, dir) !== undefined;

/** `d_type` of a directory, of getdents(2). */
export const DT_DIR = 4;

/** An entry of a directory: its name and `d_type`. */
export interface Entry<Name extends Path = string> {
  name: Name;
  type: number;
}

/** The entries of an open directory without "." and "..", in the file system's order. Throws SyscallError. */
export const readDirectory = (fd: Fd): Entry[] => entriesOf(fd, fromCstring);

/** The same with the names' bytes, which need not be UTF-8. */
export const readDirectoryBytes = (fd: Fd): Entry<Uint8Array>[] =>
  entriesOf(fd, (bytes) => bytes.slice(0, bytes.indexOf(0)));

function entriesOf<Name extends Path>(fd: Fd, read: (bytes: Uint8Array) => Name): Entry<Name>[] {
  const entries: Entry<Name>[] = [];
  const bytes = new Uint8Array(8192);
  const view = viewOf(bytes);
  for (;;) {
    const count = sys("getdents64", fd, bytes, bytes.length);
    if (count === 0) return entries;
    for (let at = 0; at < count; ) {
      const length = view.getUint16(at + 16, true);
      const name = bytes.subarray(at + 19, at + length);
      if (!isSelfOrParent(name)) entries.push({ name: read(name), type: view.getUint8(at + 18) });
      at += length;
    }
  }
}

const DOT = 46;

/** Whether bytes that end with a NUL are "." or "..". */
const isSelfOrParent = (name: Uint8Array): boolean =>
  name[0] === DOT && (name[1] === 0 || (name[1] === DOT && name[2] === 0));

/** The names in a directory, or none where it does not exist. Throws SyscallError. */
export function listDirectory(path: string, dir: Fd = C.AT_FDCWD): string[] {
  const fd = attempt("openat", dir, cstring(path), C.O_RDONLY | C.O_DIRECTORY | C.O_CLOEXEC);
  if (fd === -ENOENT) return [];
  return using(must("openat", ["open", path], fd), (opened) => readDirectory(opened).map((entry) => entry.name));
}

/** Gives the system call errors inside `run` an action that names the object. */
function naming<T>(verb: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new SyscallError(error.syscall, error.errno, `${verb} ${quote(path)}`);
  }
}

/** A path or name as it stands in messages: in double quotes, control characters escaped. */
export const quote = (text: string): string => JSON.stringify(text);
