import type { Value } from "../machine/program.js";
import { type Builder, type CallOptions, EMPTY_PATH, flags, NO_PATH, openHow, slot, text } from "./builder.js";
import type { Attributes, MountOptions } from "./mount-options.js";

/** A path's components without empty ones and "."; ".." goes up, at most to the root. */
export function components(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

/** A path without ".", ".." and doubled slashes, absolute. */
export const cleanPath = (path: string): string => `/${components(path).join("/")}`;

const IN_ROOT = "RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS";

/** The arguments that open a path inside the container's root, whatever links the image has. */
export const inRoot = (path: string, open: string, resolve = ""): Value[] => [
  slot("root"),
  text(components(path).join("/") || "."),
  ...openHow(`${open}|O_CLOEXEC`, `${IN_ROOT}${resolve && `|${resolve}`}`),
];

/**
 * Makes the directories of a path inside the root where they are missing, one component at a time from a descriptor,
 * and leaves the last one open in slot `into`. mkdirat(2) follows no link in its last component.
 */
export function makeDirectories(b: Builder, path: readonly string[], into: string, resolve = ""): void {
  if (path.length === 0) b.call("openat2", inRoot("/", "O_PATH|O_DIRECTORY", resolve), { into });
  else b.store(slot("root"), into);
  path.forEach((name, i) => {
    b.call("mkdirat", [slot(into), text(name), 0o755], { on: { EEXIST: "next" } });
    if (i > 0) b.done(into);
    b.call("openat2", inRoot(path.slice(0, i + 1).join("/"), "O_PATH|O_DIRECTORY", resolve), { into });
  });
}

/** Makes an empty file inside the root for a mount to lie on, its directories too; opens it in slot `into`. */
export function makeFile(b: Builder, path: readonly string[], into: string): void {
  const name = path[path.length - 1];
  makeDirectories(b, path.slice(0, -1), "directory");
  b.call("mknodat", [slot("directory"), text(name), { flags: "S_IFREG" }, 0], { on: { EEXIST: "next" } });
  b.done("directory");
  b.call("openat2", inRoot(path.join("/"), "O_PATH"), { into });
}

const BY_DESCRIPTOR = flags("MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH");

/** Attaches the mount in slot `mount` where slot `target` points. */
export function attach(b: Builder, mount: string, target: string): void {
  b.call("move_mount", [slot(mount), NO_PATH, slot(target), NO_PATH, BY_DESCRIPTOR]);
}

const WITH_ALL_BELOW = flags("AT_EMPTY_PATH", "AT_RECURSIVE");

/** Changes the attributes of the mount in a slot: names to set and to clear, a propagation type. mount_setattr(2) */
export function setAttributes(
  b: Builder,
  mount: string,
  change: { set?: Iterable<string>; clear?: Iterable<string>; propagation?: string; recursive?: boolean },
  options?: CallOptions,
): void {
  const { set = [], clear = [], propagation, recursive } = change;
  const attr = { struct: [flags(...set), flags(...clear), flags(...(propagation ? [propagation] : [])), 0] };
  const at = recursive ? WITH_ALL_BELOW : EMPTY_PATH;
  b.call("mount_setattr", [slot(mount), NO_PATH, at, attr, 32], options);
}

/** What open_tree(2) is told to clone the mount that a descriptor is of, detached; and all below it. */
export const CLONE = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_EMPTY_PATH");
const CLONE_ALL_BELOW = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_EMPTY_PATH", "AT_RECURSIVE");

/** Clones the mount tree that slot `source` points to, detached, into slot `into`. open_tree(2) */
export function cloneTree(b: Builder, source: string, into: string, recursive = false): void {
  b.call("open_tree", [slot(source), NO_PATH, recursive ? CLONE_ALL_BELOW : CLONE], { into });
}

/** Fails unless what a slot holds is procfs: only that may lie at /proc. fstatfs(2) */
export function requireProc(b: Builder, name: string): void {
  const status = b.buffer("fstatfs", 120);
  const good = b.label();
  b.call("fstatfs", [slot(name), status]);
  b.test({ memory: "fstatfs", offset: 0, size: 4 }, 0x9fa0, { equal: good });
  b.fail("EPERM");
  b.bind(good);
}

/**
 * Changes the attributes of the mount in a slot.
 *
 * @param how `locked`: whether some may be locked, as those of the host's mounts are in a user namespace
 *   (mount_namespaces(7), "Restrictions on mount namespaces"): then they stay, and what can only be added is
 */
export function changeAttributes(
  b: Builder,
  mount: string,
  { set, clear }: Attributes,
  { recursive, locked }: { recursive: boolean; locked: boolean },
): void {
  if (set.size + clear.size === 0) return;
  if (!locked || clear.size === 0) {
    setAttributes(b, mount, { set, clear, recursive });
    return;
  }
  const [keep, changed] = [b.label(), b.label()];
  setAttributes(b, mount, { set, clear, recursive }, { on: { EPERM: keep }, then: changed });
  b.bind(keep);
  // How access times are kept can only be changed as a whole.
  const added = [...set].filter((name) => !name.endsWith("ATIME") || name === "MOUNT_ATTR_NODIRATIME");
  if (added.length > 0) setAttributes(b, mount, { set: added, recursive });
  b.bind(changed);
}

/** Sets propagation: once the mount has its place, since moving it below a shared mount would undo it. */
export function spread(b: Builder, { propagation }: MountOptions, mount: string): void {
  for (const { type, recursive } of propagation) setAttributes(b, mount, { propagation: type, recursive });
}

/** Opens a directory inside the root as slot `target`, and makes it where it is missing. */
export function openDirectory(b: Builder, path: readonly string[], resolve = ""): void {
  const [missing, opened] = [b.label(), b.label()];
  b.call("openat2", inRoot(path.join("/"), "O_PATH|O_DIRECTORY", resolve), {
    into: "target",
    on: { ENOENT: missing },
    then: opened,
  });
  b.bind(missing);
  makeDirectories(b, path, "target", resolve);
  b.bind(opened);
}
