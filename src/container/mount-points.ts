import type { Mount } from "../generated/config.js";
import { cleanPath, components } from "../init/target.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EEXIST, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, isDirectory, open, openat2, quote, stat, using } from "../linux/file.js";
import { attempt, expecting, must } from "../linux/syscall.js";
import { bindsOf } from "./external-mounts.js";

/**
 * Makes the mount points of mounts, whose destinations are places, where they are missing, as init does it when a
 * container is created: criu wants them to be there. Those inside a file system of the container's own come with its
 * content. Throws Failure.
 */
export function makeMountPoints(mounts: readonly Mount[], bundle: string, rootfs: string): void {
  const sources = new Map(bindsOf(mounts).map(({ destination, source }) => [destination, at(source)]));
  mounts.forEach(({ destination }, i) => {
    const path = cleanPath(destination);
    const around = mounts.slice(0, i).findLast((other) => path.startsWith(`${cleanPath(other.destination)}/`));
    const base = around === undefined ? rootfs : sources.get(around.destination);
    if (base === undefined) return;
    const below = around === undefined ? path : path.slice(cleanPath(around.destination).length);
    const source = sources.get(destination);
    const status = source === undefined ? undefined : stat(source);
    try {
      make(base, components(below), status !== undefined && !isDirectory(status));
    } catch (cause) {
      throw new Failure(`mounts[${i}]: make mount point ${quote(destination)}`, { cause });
    }
  });

  function at(source: string): string {
    return source.startsWith("/") ? source : `${bundle}/${source}`;
  }
}

/** Makes directories inside a root, and the last of the names as a file or a directory, following no link out of it. */
function make(base: string, names: readonly string[], isFile: boolean): void {
  using(open(base, C.O_PATH | C.O_DIRECTORY), (root) => {
    names.forEach((name, i) => {
      if (exists(root, names.slice(0, i + 1))) return;
      using(inRoot(root, names.slice(0, i)), (parent) => {
        const result =
          isFile && i === names.length - 1
            ? attempt("mknodat", parent, cstring(name), C.S_IFREG | 0o644, 0)
            : attempt("mkdirat", parent, cstring(name), 0o755);
        if (result !== -EEXIST) must("mkdirat", ["make", name], result);
      });
    });
  });
}

const inRoot = (root: Fd, names: readonly string[]): Fd =>
  openat2(root, names.join("/") || ".", C.O_PATH, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);

const exists = (root: Fd, names: readonly string[]): boolean =>
  expecting([ENOENT], false, () => using(inRoot(root, names), () => true));
