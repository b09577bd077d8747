import { type BigIntStats, chmodSync, lchownSync, lutimesSync } from "node:fs";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { sys } from "../linux/syscall.js";
import { setAttribute } from "./attributes.js";
import { type ByteText, toCstring } from "./byte-text.js";
import type { TarEntry, Time } from "./tar-entry.js";

/** -1 in 32 bits: what chown(2) takes for "leave it". */
const NO_ID = 0xffffffff;

/**
 * Gives what lies at `path` an entry's owner, mode and extended attributes, in the order in which none takes away what
 * the one before gave. Attributes that the file system does not know are told to `warn`. Throws Failure and errors.
 */
export function setMetadata(path: Buffer, entry: TarEntry, warn: (attribute: ByteText) => void): void {
  const { uid, gid } = entry;
  for (const id of [uid, gid])
    if (id < 0 || id >= NO_ID) throw new Failure(`owner ${uid}:${gid}`, { cause: "not ids" });
  lchownSync(path, uid, gid);
  if (entry.type !== "symlink") chmodSync(path, entry.mode);
  for (const [name, value] of entry.attributes) if (!setAttribute(path, name, value)) warn(name);
}

/** Sets the times of what lies at a path, a symbolic link's own. */
export function setTime(path: Buffer, { seconds, nanoseconds }: Time): void {
  // Node takes times as floating point, too coarse for nanoseconds, and those before 1970 for the present.
  if (nanoseconds === 0 && seconds >= 0) lutimesSync(path, seconds, seconds);
  else {
    const time = words(seconds, nanoseconds, seconds, nanoseconds);
    sys("utimensat", C.AT_FDCWD, toCstring(path), time, C.AT_SYMLINK_NOFOLLOW);
  }
}

/** The time of a file's last change of content. */
export function timeOf({ mtimeNs }: BigIntStats): Time {
  const nanoseconds = Number(((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  return { seconds: Number((mtimeNs - BigInt(nanoseconds)) / 1_000_000_000n), nanoseconds };
}
