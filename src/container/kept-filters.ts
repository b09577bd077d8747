import { NUMBER } from "../config/version.js";
import { ffi } from "../ffi/driver.js";
import type { Seccomp } from "../generated/config.js";
import { concat, cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { fstat, listDirectory, mkdirAll, readAll, replaceFile, stat, unlink, using } from "../linux/file.js";
import { identityOf } from "../linux/process.js";
import { attempt, SyscallError, sys } from "../linux/syscall.js";

/*
 * Compiling a filter of the size that engines ask for takes longer than compiling all the rest of a container, and an
 * engine's containers have mostly the same. So filters are kept below `--root`, in a directory whose name is no
 * container's id. A file is found by its origin's length; it holds the origin and, behind it, the filter.
 */
const DIRECTORY = "seccomp@";
/** How many are kept. */
const MOST = 32;

/** The filter that an equal profile was compiled to before, if it was kept. */
export function findFilter(root: string, seccomp: Seccomp): Uint8Array | undefined {
  const origin = originOf(seccomp);
  const fd = attempt(
    "openat",
    C.AT_FDCWD,
    cstring(pathOf(root, origin)),
    C.O_RDONLY | C.O_NONBLOCK | C.O_NOFOLLOW | C.O_CLOEXEC,
  );
  if (fd < 0) return undefined;
  return using(fd, () => {
    const { uid, size } = fstat(fd);
    if (uid !== 0 && uid !== sys("geteuid")) return undefined;
    const content = readAll(fd, size + 1);
    return ffi.decode(content.subarray(0, origin.length)) === origin ? content.subarray(origin.length) : undefined;
  });
}

/** Keeps a profile's filter, where that can be done. */
export function keepFilter(root: string, seccomp: Seccomp, filter: Uint8Array): void {
  const origin = originOf(seccomp);
  const directory = `${root}/${DIRECTORY}`;
  try {
    mkdirAll(directory, 0o700);
    const names = listDirectory(directory);
    if (names.length >= MOST) for (const name of names) unlink(`${directory}/${name}`);
    replaceFile(pathOf(root, origin), concat([ffi.encode(origin), filter]), 0o600);
  } catch (error) {
    // It goes without.
    if (!(error instanceof SyscallError)) throw error;
  }
}

const pathOf = (root: string, origin: string): string => `${root}/${DIRECTORY}/${origin.length}`;

/** What a filter comes from: the compiler, by version and executable, and the profile. */
function originOf(seccomp: Seccomp): string {
  const executable = stat("/proc/self/exe");
  const profile = textOf(seccomp);
  const compiler = executable === undefined ? "" : `${identityOf(executable)} ${executable.size}`;
  return `${NUMBER} ${compiler} ${profile}`;
}

function textOf(seccomp: Seccomp): string {
  try {
    return JSON.stringify(seccomp);
  } catch {
    // There are numbers of 64 bits in it. A function that looks at each value makes it slower by far.
    return JSON.stringify(seccomp, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  }
}
