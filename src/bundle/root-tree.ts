import { type BigIntStats, closeSync, fstatSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ELOOP, ENOENT, ENOTDIR } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import type { Fd } from "../linux/file.js";
import { attemptAgain, must } from "../linux/syscall.js";
import { type ByteText, quoteBytes, toCstring } from "./byte-text.js";
import { inDirectory } from "./in-directory.js";
import { setTime, timeOf } from "./metadata.js";
import { entriesOf, removeTree } from "./remove-tree.js";
import type { Time } from "./tar-entry.js";

/** What a layer has made of a path: "implied" is a directory that only entries below it speak of. */
export type Kind = "directory" | "implied" | "symlink" | "other";

/** Open directories that are kept; entries come in runs of the same directory. */
const KEPT = 64;

/**
 * A root file system that a layer is being applied to. Every path is resolved inside it, and what the layer made is told
 * from what was there before: the layer's own symbolic links are never followed, whiteouts never hide its own entries.
 * Paths are relative, without "." and "..", and "" is the root.
 */
export class RootTree {
  private readonly opened = new Map<ByteText, Fd>();
  private readonly kinds = new Map<ByteText, Kind>();
  /** The times that directories get in the end. */
  private readonly times = new Map<ByteText, Time>();
  private isStale = false;

  constructor(private readonly root: Fd) {}

  /**
   * A directory, open until the next call of `trim`. It is made where it does not exist, also in place of what is no
   * directory. Throws Failure where the layer itself made something else of the path, or of one on the way to it: a tar
   * archive of a real tree never does.
   */
  directory(path: ByteText): Fd {
    if (path === "") return this.root;
    const known = this.opened.get(path);
    if (known !== undefined) return known;
    const [parentPath, name] = split(path);
    const parent = this.directory(parentPath);
    this.refuseOwn(path);
    if (!this.kinds.has(path)) this.kinds.set(path, "implied");
    const fd = this.open(path) ?? this.make(path, parentPath, parent, name);
    this.opened.set(path, fd);
    return fd;
  }

  /** Calls `use` with a directory that exists. Throws Failure where it does not, or as `directory` does. */
  inExisting<T>(path: ByteText, use: (directory: Fd) => T): T {
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) this.refuseOwn(path.slice(0, end));
    this.refuseOwn(path);
    const fd = path === "" ? this.root : this.open(path);
    if (fd === undefined) throw new Failure(`${quoteBytes(path)} is no directory`);
    try {
      return use(fd);
    } finally {
      if (fd !== this.root) closeSync(fd);
    }
  }

  /** Notes what the layer made of a path. */
  made(path: ByteText, kind: Kind): void {
    this.kinds.set(path, kind);
  }

  /** Notes the time that a directory gets in the end. */
  setTime(path: ByteText, time: Time): void {
    this.times.set(path, time);
  }

  /** Notes that a directory will be changed: unless the layer has an entry for it, it keeps its time. */
  touch(path: ByteText, directory: Fd): void {
    if (!this.times.has(path)) this.times.set(path, timeOf(fstatSync(directory, { bigint: true })));
  }

  /** The status of a name in a directory, if it is there. */
  status(directory: Fd, name: ByteText): BigIntStats | undefined {
    return lstatSync(inDirectory(directory, name), { bigint: true, throwIfNoEntry: false });
  }

  /** Removes a name from a directory, with all below it. */
  remove(directory: Fd, name: ByteText, status: BigIntStats): void {
    // Paths that are open may lead through it. They stay usable for the entry at hand.
    if (status.isDirectory() || status.isSymbolicLink()) this.isStale = true;
    if (status.isDirectory()) removeTree(inDirectory(directory, name));
    else unlinkSync(inDirectory(directory, name));
  }

  /** Hides what was at a path before the layer. */
  hide(parentPath: ByteText, parent: Fd, name: ByteText): void {
    const path = join(parentPath, name);
    const status = this.status(parent, name);
    if (status === undefined) return;
    if (!this.kinds.has(path)) this.remove(parent, name, status);
    else if (status.isDirectory()) this.hideBelow(path);
  }

  /** Hides what was in a directory, however deep, before the layer. */
  hideBelow(path: ByteText): void {
    const directory = this.directory(path);
    this.touch(path, directory);
    for (const { name } of entriesOf(inDirectory(directory, "."))) this.hide(path, this.directory(path), name);
  }

  /** To be called between entries: closes directories where many are open, or paths may lead elsewhere now. */
  trim(): void {
    if (this.isStale || this.opened.size > KEPT) this.close();
    this.isStale = false;
  }

  /** Gives the directories their times; the last thing to do. */
  setTimes(): void {
    for (const [path, time] of this.times) {
      const kind = path === "" ? "directory" : this.kinds.get(path);
      if (kind !== "directory" && kind !== "implied") continue;
      const fd = path === "" ? this.root : this.open(path);
      if (fd === undefined) continue;
      setTime(inDirectory(fd, "."), time);
      if (fd !== this.root) closeSync(fd);
    }
  }

  /** Closes what is open, but for the root. */
  close(): void {
    for (const fd of this.opened.values()) closeSync(fd);
    this.opened.clear();
  }

  private refuseOwn(path: ByteText): void {
    const kind = this.kinds.get(path);
    if (kind !== "symlink" && kind !== "other") return;
    const what = kind === "symlink" ? "a symbolic link" : "no directory";
    throw new Failure(`${quoteBytes(path)}, which it lies below, is ${what} by the same layer`);
  }

  /** Opens a directory inside the root; undefined where there is none at the path. openat2(2) */
  private open(path: ByteText): Fd | undefined {
    const how = words(C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
    const result = attemptAgain("openat2", this.root, toCstring(path), how, how.length);
    if (result === -ENOENT || result === -ENOTDIR || result === -ELOOP) return undefined;
    return must("openat2", `open ${quoteBytes(path)}`, result);
  }

  private make(path: ByteText, parentPath: ByteText, parent: Fd, name: ByteText): Fd {
    this.touch(parentPath, parent);
    const status = this.status(parent, name);
    // A file, or a link to nowhere, of a layer before.
    if (status !== undefined) unlinkSync(inDirectory(parent, name));
    mkdirSync(inDirectory(parent, name), 0o755);
    const fd = this.open(path);
    if (fd === undefined) throw new Failure(`open ${quoteBytes(path)}`, { cause: "it was made and is gone" });
    return fd;
  }
}

/** A path's directory and its last name. */
export function split(path: ByteText): [directory: ByteText, name: ByteText] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
}

/** The path of a name in a directory. */
export const join = (directory: ByteText, name: ByteText): ByteText =>
  directory === "" ? name : `${directory}/${name}`;
