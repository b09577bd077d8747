import { EOPNOTSUPP } from "../linux/errno.js";
import { attempt, must, sys } from "../linux/syscall.js";
import { type ByteText, fromBytes, quoteBytes, toCstring } from "./byte-text.js";

/** Labels of the host's own policy: those of another host mean nothing here. */
const OF_HOST = new Set(["security.selinux"]);

/** The most that a list of names, or a value, can be; xattr(7). */
const LIMIT = 65536;

/** The extended attributes of what lies at a path, a symbolic link's own; those of the host's policy are left out. */
export function attributesAt(path: Buffer): Map<ByteText, Buffer> {
  const attributes = new Map<ByteText, Buffer>();
  const names = Buffer.allocUnsafe(LIMIT);
  const length = attempt("llistxattr", toCstring(path), names, LIMIT);
  if (length === -EOPNOTSUPP) return attributes;
  must("llistxattr", "list extended attributes", length);
  for (const name of fromBytes(names, 0, length).split("\0").slice(0, -1)) {
    if (OF_HOST.has(name)) continue;
    const value = Buffer.allocUnsafe(LIMIT);
    const size = sys("lgetxattr", toCstring(path), toCstring(name), value, LIMIT);
    attributes.set(name, Buffer.from(value.subarray(0, size)));
  }
  return attributes;
}

/** Sets an extended attribute of what lies at a path, unless it is of the host's policy. Returns false where the file system has none of this kind. */
export function setAttribute(path: Buffer, name: ByteText, value: Buffer): boolean {
  if (OF_HOST.has(name)) return true;
  const result = attempt("lsetxattr", toCstring(path), toCstring(name), value, value.length, 0);
  if (result === -EOPNOTSUPP) return false;
  must("lsetxattr", `set extended attribute ${quoteBytes(name)}`, result);
  return true;
}

/** Removes all extended attributes but those of the host's policy. Throws SyscallError. */
export function removeAttributes(path: Buffer): void {
  for (const name of attributesAt(path).keys()) sys("lremovexattr", toCstring(path), toCstring(name));
}
