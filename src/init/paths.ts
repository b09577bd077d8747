import type { Config } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { AT_FDCWD, type Builder, EMPTY_PATH, flags, NO_PATH, slot, text } from "./builder.js";
import { createFileSystem } from "./create-file-system.js";
import { labelled } from "./mount-label.js";
import { attach, CLONE, cloneTree, inRoot, setAttributes } from "./target.js";

/** Compiles linux.readonlyPaths: each is bound on itself, read-only, with all below it. Absent ones are passed over. */
export function compileReadonlyPaths(b: Builder, config: Config): void {
  (config.linux?.readonlyPaths ?? []).forEach((path, i) => {
    b.part(makeReadonly, path, `linux.readonlyPaths[${i}]`);
  });
}

function makeReadonly(b: Builder, path: string): void {
  b.about(`make ${quote(path)} read-only`);
  const done = b.label();
  b.call("openat2", inRoot(path, "O_PATH"), { into: "target", on: { ENOENT: done, ENOTDIR: done } });
  cloneTree(b, "target", "mount", true);
  setAttributes(b, "mount", { set: ["MOUNT_ATTR_RDONLY"], recursive: true });
  attach(b, "mount", "target");
  b.done("target");
  b.done("mount");
  b.bind(done);
}

/** Compiles linux.maskedPaths: files are hidden behind /dev/null, directories behind one empty file system. */
export function compileMaskedPaths(b: Builder, config: Config): void {
  const paths = config.linux?.maskedPaths ?? [];
  if (paths.length === 0) return;
  b.part(openMasks, labelled(["nr_inodes=1", "size=4k", "mode=555"], { type: "tmpfs" }, config), "linux.maskedPaths");
  paths.forEach((path, i) => {
    b.part(mask, path, `linux.maskedPaths[${i}]`);
  });
  b.about("close the masks", "linux.maskedPaths");
  b.done("empty");
  b.done("null");
}

/** Opens what masks are made of: slot `empty` for directories, slot `null` for files. */
function openMasks(b: Builder, options: readonly string[]): void {
  b.about("make an empty file system for masked directories");
  createFileSystem(b, "tmpfs", "tmpfs", options, ["MOUNT_ATTR_RDONLY"], "empty");
  openNull(b);
}

function mask(b: Builder, path: string): void {
  b.about(`mask ${quote(path)}`);
  const [first, file, place, done] = [b.label(), b.label(), b.label(), b.label()];
  b.call("openat2", inRoot(path, "O_PATH|O_DIRECTORY"), { into: "target", on: { ENOENT: done, ENOTDIR: file } });
  b.call("open_tree", [slot("empty"), NO_PATH, CLONE], { into: "mount", on: { EINVAL: first }, then: place });
  b.bind(first);
  // Before Linux 6.15 a mount can be cloned only once it is attached somewhere: the first one is attached itself.
  b.call("fcntl", [slot("empty"), flags("F_DUPFD_CLOEXEC"), 3], { into: "mount", then: place });
  b.bind(file);
  b.call("openat2", inRoot(path, "O_PATH"), { into: "target", on: { ENOENT: done, ENOTDIR: done } });
  cloneTree(b, "null", "mount");
  b.bind(place);
  attach(b, "mount", "target");
  b.done("target");
  b.done("mount");
  b.bind(done);
}

/** Opens the host's /dev/null as slot `null` and makes sure that it is that device. */
function openNull(b: Builder): void {
  b.about('open "/dev/null" to mask files with');
  const [other, good] = [b.label(), b.label()];
  const open = flags("O_PATH", "O_NOFOLLOW", "O_CLOEXEC");
  b.call("openat", [AT_FDCWD, text("/dev/null"), open, 0], { into: "null" });
  const status = b.buffer("status", 256);
  b.call("statx", [slot("null"), NO_PATH, EMPTY_PATH, flags("STATX_TYPE"), status]);
  b.test({ memory: "status", offset: 28, size: 2, mask: 0xf000 }, 0x2000, { differs: other });
  b.test({ memory: "status", offset: 128, size: 4 }, 1, { differs: other });
  b.test({ memory: "status", offset: 132, size: 4 }, 3, { equal: good });
  b.bind(other);
  b.fail("ENODEV");
  b.bind(good);
}
