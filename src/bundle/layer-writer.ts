import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import type { Fd } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";
import { removeAttributes } from "./attributes.js";
import { type ByteText, quoteBytes, toBytes, toCstring } from "./byte-text.js";
import { causeOf } from "./cause.js";
import { inDirectory } from "./in-directory.js";
import { setMetadata, setTime } from "./metadata.js";
import { RootTree, split } from "./root-tree.js";
import { isWhole, type TarEntry, type TarVisitor } from "./tar-entry.js";

const WHITEOUT = ".wh.";
/** Names that AUFS kept for itself; one of them makes a directory opaque. */
const RESERVED = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

/** The longest path that system calls take, in bytes; PATH_MAX without the NUL at its end. */
const MAX_PATH = 4095;

/** No image has as many entries in a layer: all their names are kept in memory. */
const MAX_ENTRIES = 4_000_000;

const NEW_FILE = C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW;

/**
 * Applies a layer's entries to a root file system (image-spec, layer.md). The root may be a plain directory or an
 * overlay of the layers below. Nothing is written outside of it, whatever the entries' names and the links in it are.
 */
export class LayerWriter implements TarVisitor {
  private readonly tree: RootTree;
  /** The file that is being written. */
  private file: { fd: Fd; entry: TarEntry; path: Buffer } | undefined;
  private readonly unknownAttributes = new Set<ByteText>();
  private entries = 0;

  /**
   * @param root the root directory; stays open
   * @param warn is told, once each, of extended attributes that the file system does not know
   * @param maxEntries how many entries there may be
   */
  constructor(
    root: Fd,
    private readonly warn: (message: string) => void,
    private readonly maxEntries = MAX_ENTRIES,
  ) {
    this.tree = new RootTree(root);
  }

  entry(entry: TarEntry): boolean {
    return about(entry, () => {
      if (++this.entries > this.maxEntries) throw new Failure(`more than ${this.maxEntries} entries`);
      this.tree.trim();
      const path = pathOf(entry.name);
      const [parentPath, name] = split(path);
      if (path.split("/").some((component) => component.startsWith(RESERVED) && component !== OPAQUE)) return false;
      if (parentPath.split("/").some((component) => component.startsWith(WHITEOUT)))
        throw new Failure("it lies below a whiteout");
      if (path === "") this.root(entry);
      else if (name === OPAQUE) this.tree.hideBelow(parentPath);
      else if (name.startsWith(WHITEOUT)) this.whiteout(parentPath, name.slice(WHITEOUT.length));
      else return this.make(entry, path, parentPath, name);
      return false;
    });
  }

  content(bytes: Buffer, at: number): void {
    const { fd, entry } = this.file as NonNullable<typeof this.file>;
    about(entry, () => {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
    });
  }

  end(): void {
    const { fd, entry, path } = this.file as NonNullable<typeof this.file>;
    about(entry, () => {
      // A sparse file may end in a hole.
      if (!isWhole(entry)) ftruncateSync(fd, entry.size);
      this.closeFile();
      this.describe(entry, path);
    });
  }

  /** To be called when all entries were shown. */
  finish(): void {
    this.tree.setTimes();
  }

  /** Lets go of all that is open. */
  close(): void {
    this.closeFile();
    this.tree.close();
  }

  private root(entry: TarEntry): void {
    if (entry.type !== "directory") throw new Failure("it would replace the root directory");
    this.describeDirectory(entry, "", inDirectory(this.tree.directory(""), "."));
  }

  private whiteout(parentPath: ByteText, name: ByteText): void {
    if (name === "" || name === "." || name === "..") throw new Failure("a whiteout that names nothing");
    const parent = this.tree.directory(parentPath);
    this.tree.touch(parentPath, parent);
    this.tree.hide(parentPath, parent, name);
  }

  /** Makes what an entry describes, in place of what is there. Returns whether its content is wanted. */
  private make(entry: TarEntry, path: ByteText, parentPath: ByteText, name: ByteText): boolean {
    const parent = this.tree.directory(parentPath);
    this.tree.touch(parentPath, parent);
    if (entry.type === "link") {
      this.link(entry, path, parent, name);
      return false;
    }
    const at = inDirectory(parent, name);
    const status = this.tree.status(parent, name);
    const isKept = entry.type === "directory" && status?.isDirectory();
    if (isKept) removeAttributes(at);
    else if (status !== undefined) this.tree.remove(parent, name, status);
    this.tree.made(path, entry.type === "directory" || entry.type === "symlink" ? entry.type : "other");
    switch (entry.type) {
      case "file":
        this.file = { fd: openSync(at, NEW_FILE, 0o600), entry, path: at };
        return true;
      case "directory":
        if (!isKept) mkdirSync(at, 0o700);
        this.describeDirectory(entry, path, at);
        return false;
      case "symlink":
        if (entry.target.includes("\0")) throw new Failure("its target contains a NUL character");
        symlinkSync(toBytes(entry.target), at);
        break;
      default:
        makeNode(entry, parent, name);
    }
    this.describe(entry, at);
    return false;
  }

  /** Makes a hard link, also to a file of a layer below. What it links to has its owner, mode and so on already. */
  private link(entry: TarEntry, path: ByteText, parent: Fd, name: ByteText): void {
    try {
      const target = pathOf(entry.target);
      const [targetParentPath, targetName] = split(target);
      this.tree.inExisting(targetParentPath, (targetParent) => {
        const targetStatus = this.tree.status(targetParent, targetName);
        if (targetStatus === undefined) throw new Failure("there is no such file");
        if (target === path) return;
        const status = this.tree.status(parent, name);
        if (status !== undefined) this.tree.remove(parent, name, status);
        linkSync(inDirectory(targetParent, targetName), inDirectory(parent, name));
        this.tree.made(path, targetStatus.isSymbolicLink() ? "symlink" : "other");
      });
    } catch (error) {
      throw new Failure(`hard link to ${quoteBytes(entry.target)}`, { cause: causeOf(error) });
    }
  }

  private describeDirectory(entry: TarEntry, path: ByteText, at: Buffer): void {
    setMetadata(at, entry, this.tellUnknown);
    this.tree.setTime(path, entry.time);
  }

  private describe(entry: TarEntry, at: Buffer): void {
    setMetadata(at, entry, this.tellUnknown);
    setTime(at, entry.time);
  }

  private readonly tellUnknown = (attribute: ByteText): void => {
    if (this.unknownAttributes.has(attribute)) return;
    this.unknownAttributes.add(attribute);
    this.warn(`extended attribute ${quoteBytes(attribute)} is left out: the file system does not know it`);
  };

  private closeFile(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
    this.file = undefined;
  }
}

/** Runs `act` and puts the entry's name before the message of an error. */
function about<T>(entry: TarEntry, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Failure(`entry ${quoteBytes(entry.name)}`, { cause: causeOf(error) });
  }
}

/** An entry's name as a path below the root, "" the root itself. Throws Failure where it leads upwards. */
function pathOf(name: ByteText): ByteText {
  if (name.length > MAX_PATH) throw new Failure(`its name is ${name.length} bytes long`);
  if (name.includes("\0")) throw new Failure("its name contains a NUL character");
  const components = name.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..")) throw new Failure('".." in a name leads out of its directory');
  return components.join("/");
}

const NODE_TYPES = { character: C.S_IFCHR, block: C.S_IFBLK, fifo: C.S_IFIFO } as const;

/** Makes a device or a fifo. mknod(2) */
function makeNode({ type, device }: TarEntry, parent: Fd, name: ByteText): void {
  const { major, minor } = type === "fifo" ? { major: 0, minor: 0 } : device;
  if (type === "character" && major === 0 && minor === 0)
    throw new Failure("character device 0:0, which overlay file systems take for a whiteout");
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) throw new Failure(`device number ${major}:${minor}`);
  const number = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  const mode = NODE_TYPES[type as keyof typeof NODE_TYPES] | 0o600;
  must("mknodat", "make a device", attempt("mknodat", parent, toCstring(name), mode, number >>> 0));
}
