import { closeSync, openSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { concat, cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ENOTTY, EOPNOTSUPP } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";

/** The inode number of every subvolume's root directory, BTRFS_FIRST_FREE_OBJECTID. */
const ROOT_INODE = 256;

/** The length in bytes of what all requests about subvolumes take. */
const ARGUMENTS = 4096;

/** The flag of a subvolume that is read-only, BTRFS_SUBVOL_RDONLY. */
const READ_ONLY = 2;

/** Whether a path is the root of a btrfs subvolume; false where nothing is there. */
export const isSubvolume = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.ino === ROOT_INODE && statSync(dirname(path)).dev !== statSync(path).dev;

/** Makes an empty subvolume. Throws Failure, also where the file system is no btrfs. */
export function makeSubvolume(path: string): void {
  request(C.BTRFS_IOC_SUBVOL_CREATE_V2, "make subvolume", path, words(0, 0, 0, 0, 0, 0, 0));
}

/** Makes a subvolume that begins as another is, whose blocks it shares. Throws Failure. */
export function makeSnapshot(of: string, path: string, mode: "read-only" | "writable"): void {
  const source = openSync(of, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
  try {
    const flags = mode === "read-only" ? READ_ONLY : 0;
    request(C.BTRFS_IOC_SNAP_CREATE_V2, `make snapshot of ${quote(of)}`, path, words(source, 0, flags, 0, 0, 0, 0));
  } finally {
    closeSync(source);
  }
}

/** Removes a subvolume, read-only or not, with all in it. Throws Failure, also where other subvolumes lie in it. */
export function removeSubvolume(path: string): void {
  request(C.BTRFS_IOC_SNAP_DESTROY, "remove subvolume", path, words(0));
}

/** Asks for a change of the subvolume at a path: the request is made of its directory, and ends in its name. ioctl(2) */
function request(number: number, what: string, path: string, start: Uint8Array): void {
  const name = cstring(basename(path));
  const rest = new Uint8Array(ARGUMENTS - start.length - name.length);
  const directory: Fd = openSync(dirname(path), C.O_RDONLY | C.O_DIRECTORY);
  try {
    const result = attempt("ioctl", directory, number, concat([start, name, rest]));
    if (result === -ENOTTY || result === -EOPNOTSUPP)
      throw new Failure(quote(dirname(path)), {
        cause: "it does not lie on a btrfs file system",
        hint: "`fdbundle store init --btrfs FILE` makes one",
      });
    must("ioctl", `${what} ${quote(path)}`, result);
  } finally {
    closeSync(directory);
  }
}
