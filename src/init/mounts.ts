import { isBind } from "../config/rules/is-bind.js";
import { makesNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { Hint, Value } from "../machine/program.js";
import { AT_FDCWD, type Builder, EMPTY_PATH, flags, NO_PATH, slot, text } from "./builder.js";
import { compileCgroupMount } from "./cgroup-mount.js";
import { createFileSystem } from "./create-file-system.js";
import { type Facts, input } from "./facts.js";
import { sendDescriptor, wait } from "./message.js";
import { mountDestination, refusesLinks } from "./mount-destination.js";
import { labelled } from "./mount-label.js";
import { type MountOptions, parseMountOptions } from "./mount-options.js";
import {
  attach,
  changeAttributes,
  inRoot,
  makeDirectories,
  makeFile,
  openDirectory,
  requireProc,
  setAttributes,
  spread,
} from "./target.js";

/** Compiles the config's mounts, in order. Slot `root` holds the root file system. Throws Failure. */
export function compileMounts(b: Builder, config: Config, facts: Facts): void {
  (config.mounts ?? []).forEach((mount, index) => {
    const from = `mounts[${index}]`;
    const place = facts.places.get(`${from}.destination`);
    if (mount.type === "bind" || mount.options?.some((option) => NOT_OWN.has(option))) {
      const job: Job = { ...jobOf(mount, from, place), index };
      if (job.options.keywords.has("remount")) remount(b, job, facts);
      else bind(b, job, facts);
    } else if (mount.type === "cgroup") compileCgroupMount(b, mount, { from, place }, config, facts);
    else b.part(fileSystem, fileSystemOf(mount, place, config, facts), from);
  });
}

/** The options of mounts that show or change what is there already. */
const NOT_OWN = new Set(["bind", "rbind", "remount"]);

function jobOf(mount: Mount, from: string, place: string | undefined): Omit<Job, "index"> {
  const options = parseMountOptions(mount.options);
  return { mount, options, path: mountDestination(mount, from, place), from };
}

/** A mount on its way into steps. */
interface Job {
  readonly mount: Mount;
  readonly options: MountOptions;
  readonly index: number;
  readonly path: readonly string[];
  readonly from: string;
}

/** Why a file system may not be made in a user namespace. */
const HINTS: Record<string, Hint> = {
  proc: { EPERM: "in a user namespace this takes a procfs outside of it with nothing mounted over parts of it" },
  mqueue: { EPERM: "in a user namespace this takes a new ipc namespace" },
};

/** A file system of its own: all that its steps depend on. */
interface FileSystem extends Pick<Mount, "destination" | "type" | "source" | "options"> {
  readonly userNamespace: boolean;
  /** Where its destination leads, if there are links in it. */
  readonly place?: string;
  /**
   * What of the host's stands in for one that may not be made in a user namespace, since the network or process id
   * namespace that it would show belongs to the host's: then it shows the same.
   */
  readonly stands?: string;
}

function fileSystemOf(mount: Mount, place: string | undefined, config: Config, { userNamespace }: Facts): FileSystem {
  const { destination, type, source } = mount;
  const stands = userNamespace ? standIn(type, config) : undefined;
  const options = labelled(optionsFor(mount, config), mount, config);
  return {
    destination,
    type,
    source,
    options,
    userNamespace,
    ...(place !== undefined && { place }),
    ...(stands !== undefined && { stands }),
  };
}

function standIn(type: string | undefined, config: Config): string | undefined {
  if (type === "sysfs") return "/sys";
  return type === "proc" && !makesNamespace(config, "pid") ? "/proc" : undefined;
}

/** A file system's options, without the group of terminals where no such group is mapped: it is of no use there. */
function optionsFor({ type, options }: Mount, { linux }: Config): string[] | undefined {
  const gids = linux?.gidMappings ?? [];
  if (type !== "devpts" || gids.length === 0) return options;
  const isMapped = (id: number) => gids.some(({ containerID, size }) => id >= containerID && id < containerID + size);
  return options?.filter((option) => !option.startsWith("gid=") || isMapped(Number(option.slice(4))));
}

/** Makes a file system, by fsopen(2). */
function fileSystem(b: Builder, { userNamespace, place, stands, ...mount }: FileSystem): void {
  const { options, path } = jobOf(mount, b.from, place);
  const type = mount.type ?? "";
  if (type === "") throw new Failure(`${b.from}.type: missing`, { cause: "only a bind mount goes without" });
  b.about(`mount ${type} on ${quote(mount.destination)}`, undefined, userNamespace ? HINTS[type] : undefined);
  const resolve = refusesLinks(mount) ? "RESOLVE_NO_SYMLINKS" : "";
  openDirectory(b, path, resolve);
  const slotName = type === "proc" && path.join("/") === "proc" ? "proc" : "mount";
  const keepsMode = type === "tmpfs" && !options.data.some((option) => option.startsWith("mode="));
  const copiesUp = options.keywords.has("tmpcopyup");
  const attributes = new Set(options.all.set);
  // What is still to be written to becomes read-only last.
  const sealed = (keepsMode || copiesUp) && attributes.delete("MOUNT_ATTR_RDONLY");
  const source = mount.source ?? type;
  if (stands === undefined) createFileSystem(b, type, source, options.data, attributes, slotName);
  else {
    const [denied, made] = [b.label(), b.label()];
    createFileSystem(b, type, source, options.data, attributes, slotName, denied);
    b.jump(made);
    b.bind(denied);
    const all = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_RECURSIVE");
    b.call("open_tree", [AT_FDCWD, text(stands), all], { into: slotName });
    setAttributes(b, slotName, { set: attributes, recursive: true });
    b.bind(made);
  }
  if (keepsMode) {
    // As mount(8) has it by convention of the other runtimes: the directory's permissions stay.
    const status = b.buffer("status", 256);
    b.call("statx", [slot("target"), NO_PATH, EMPTY_PATH, flags("STATX_MODE"), status]);
    // The kernel takes the mode's low 16 bits, which is what statx has at this offset.
    b.call("fchmodat", [slot(slotName), text("."), { slot: "status", offset: 28 }]);
  }
  if (copiesUp) {
    copyUp(b, slotName);
    applyOwnership(b, slotName, options.data);
  }
  if (sealed) setAttributes(b, slotName, { set: ["MOUNT_ATTR_RDONLY"] });
  attach(b, slotName, "target");
  finish(b, options, slotName);
}

/** Asks the runtime to copy what lies at slot `target` into a new file system, and waits. */
function copyUp(b: Builder, mount: string): void {
  sendDescriptor(b, "copy-up-source", "target");
  sendDescriptor(b, "copy-up-target", mount);
  wait(b);
}

/** Gives a tmpfs again what its options say of its directory, and the copy has taken from the one below. tmpfs(5) */
function applyOwnership(b: Builder, mount: string, data: readonly string[]): void {
  // What is no number the kernel has refused by then.
  const given = (pattern: RegExp, radix: number) => {
    const value = data.map((option) => pattern.exec(option)?.[1]).findLast((text) => text !== undefined);
    return value === undefined ? undefined : Number.parseInt(value, radix);
  };
  const [uid, gid, mode] = [given(/^uid=(\d+)$/, 10), given(/^gid=(\d+)$/, 10), given(/^mode=([0-7]+)$/, 8)];
  if (uid !== undefined || gid !== undefined) b.call("fchownat", [slot(mount), text("."), uid ?? -1, gid ?? -1, 0]);
  if (mode !== undefined) b.call("fchmodat", [slot(mount), text("."), mode]);
}

/** Shows a tree that exists elsewhere. */
function bind(b: Builder, job: Job, facts: Facts): void {
  const { mount, options, from } = job;
  if (mount.source === undefined) throw new Failure(`${from}.source: missing`, { cause: "a bind mount needs one" });
  const source = mount.source.startsWith("/") ? mount.source : `${facts.bundle}/${mount.source}`;
  b.about(`bind ${quote(source)} on ${quote(mount.destination)}`, from);
  if (isIdMapped(mount, options)) takeFromRuntime(b, job.index);
  else {
    const how = ["OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", ...(options.keywords.has("rbind") ? ["AT_RECURSIVE"] : [])];
    const open: Value[] = [AT_FDCWD, text(source), flags(...how)];
    if (isMadeByRuntime(mount, options, facts)) {
      // Where it can, init makes the mount itself: what lies mounted below stays locked then.
      const [theirs, made] = [b.label(), b.label()];
      b.call("open_tree", open, { into: "mount", on: { EACCES: theirs }, then: made });
      b.bind(theirs);
      takeFromRuntime(b, job.index);
      b.bind(made);
    } else b.call("open_tree", open, { into: "mount" });
  }
  if (job.path.join("/") === "proc") requireProc(b, "mount");
  changeAttributes(b, "mount", options.own, { recursive: false, locked: facts.userNamespace });
  changeAttributes(b, "mount", options.recursive, { recursive: true, locked: facts.userNamespace });
  const [missing, file, opened] = [b.label(), b.label(), b.label()];
  b.call("openat2", inRoot(job.path.join("/"), "O_PATH"), { into: "target", on: { ENOENT: missing }, then: opened });
  b.bind(missing);
  // A file is bound on a file, all else on a directory.
  b.call("openat", [slot("mount"), text("."), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], {
    into: "target",
    on: { ENOTDIR: file },
  });
  b.done("target");
  makeDirectories(b, job.path, "target");
  b.jump(opened);
  b.bind(file);
  makeFile(b, job.path, "target");
  b.bind(opened);
  attach(b, "mount", "target");
  finish(b, options, "mount");
}

/** Takes a mount that the runtime made as slot `mount`. */
function takeFromRuntime(b: Builder, index: number): void {
  b.slot(input.mount(index));
  b.store(slot(input.mount(index)), "mount");
}

/** Whether the runtime makes a mount: one with an id map, and what init may have no right to look for. */
export const isMadeByRuntime = (mount: Mount, options: MountOptions, { makesMounts }: Facts): boolean =>
  isIdMapped(mount, options) || (makesMounts && isBind(mount) && !options.keywords.has("remount"));

/** Whether a mount shows other ids than its source has. */
export const isIdMapped = ({ uidMappings = [] }: Mount, { keywords }: MountOptions): boolean =>
  uidMappings.length > 0 || keywords.has("idmap") || keywords.has("ridmap");

function finish(b: Builder, options: MountOptions, mount: string): void {
  spread(b, options, mount);
  b.done("target");
  if (mount !== "proc") b.done(mount);
}

/** Changes a mount that is already there. */
function remount(b: Builder, job: Job, { userNamespace }: Facts): void {
  const { mount, options, path, from } = job;
  b.about(`remount ${quote(mount.destination)}`, from);
  b.call("openat2", inRoot(path.join("/"), "O_PATH"), { into: "mount" });
  changeAttributes(b, "mount", options.own, { recursive: false, locked: userNamespace });
  changeAttributes(b, "mount", options.recursive, { recursive: true, locked: userNamespace });
  if (!isBind(mount) && options.data.length > 0) {
    const pick = flags("FSPICK_CLOEXEC", "FSPICK_EMPTY_PATH");
    b.call("fspick", [slot("mount"), NO_PATH, pick], { into: "context" });
    for (const option of options.data) {
      const [key, ...value] = option.split("=");
      const kind = value.length > 0 ? "FSCONFIG_SET_STRING" : "FSCONFIG_SET_FLAG";
      b.call("fsconfig", [slot("context"), flags(kind), text(key), value.length > 0 ? text(value.join("=")) : 0, 0]);
    }
    b.call("fsconfig", [slot("context"), flags("FSCONFIG_CMD_RECONFIGURE"), 0, 0, 0]);
    b.done("context");
    b.store(-1, "context");
  }
  spread(b, options, "mount");
  b.done("mount");
}
