import { hasNamespace, makesNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { Hint, Label, Value } from "../machine/program.js";
import { AT_FDCWD, type Builder, EMPTY_PATH, flags, NO_PATH, slot, text } from "./builder.js";
import { type Facts, input } from "./facts.js";
import { sendDescriptor, wait } from "./message.js";
import { labelled } from "./mount-label.js";
import { type Attributes, type MountOptions, parseMountOptions } from "./mount-options.js";
import {
  attach,
  cleanPath,
  components,
  inRoot,
  makeDirectories,
  makeFile,
  requireProc,
  setAttributes,
} from "./target.js";

/** Compiles the config's mounts, in order. Slot `root` holds the root file system. Throws Failure. */
export function compileMounts(b: Builder, config: Config, facts: Facts): void {
  (config.mounts ?? []).forEach((mount, index) => {
    const from = `mounts[${index}]`;
    if (mount.type === "bind" || mount.options?.some((option) => NOT_OWN.has(option))) {
      const job: Job = { ...jobOf(mount, from), index };
      if (job.options.keywords.has("remount")) remount(b, job, facts);
      else bind(b, job, facts);
    } else if (mount.type === "cgroup") cgroup(b, mount, from, config, facts);
    else b.part(fileSystem, fileSystemOf(mount, config, facts), from);
  });
}

/** The options of mounts that show or change what is there already. */
const NOT_OWN = new Set(["bind", "rbind", "remount"]);

function jobOf(mount: Mount, from: string): Omit<Job, "index"> {
  const job = { mount, options: parseMountOptions(mount.options), path: components(mount.destination), from };
  checkDestination(job);
  return job;
}

/** Whether a mount shows an existing tree elsewhere. */
export const isBind = ({ type }: Mount, { keywords }: MountOptions): boolean =>
  type === "bind" || keywords.has("bind") || keywords.has("rbind");

/** A mount on its way into steps. */
interface Job {
  readonly mount: Mount;
  readonly options: MountOptions;
  readonly index: number;
  readonly path: readonly string[];
  readonly from: string;
}

/** What may be bound over a file of /proc: files that lxcfs and the like stand in for. */
const PROC_FILES = new Set(
  "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid sys/crypto/fips_enabled".split(
    " ",
  ),
);

function checkDestination({ mount, path, from, options }: Omit<Job, "index">): void {
  const refuse = (why: string) => {
    throw new Failure(`${from}.destination: ${quote(mount.destination)}`, { cause: why });
  };
  if (path.length === 0) refuse("the root itself cannot be a mount's destination");
  if (path[0] !== "proc" || path.length === 1 || mount.type === "proc") return;
  if (!isBind(mount, options) || !PROC_FILES.has(path.slice(1).join("/")))
    refuse("lies inside /proc, where only binds over a few known files are allowed");
}

/** Why a file system may not be made in a user namespace. */
const HINTS: Record<string, Hint> = {
  proc: { EPERM: "in a user namespace this takes a procfs outside of it with nothing mounted over parts of it" },
  mqueue: { EPERM: "in a user namespace this takes a new ipc namespace" },
};

/** A file system of its own: all that its steps depend on. */
interface FileSystem extends Pick<Mount, "destination" | "type" | "source" | "options"> {
  readonly userNamespace: boolean;
  /**
   * What of the host's stands in for one that may not be made in a user namespace, since the network or process id
   * namespace that it would show belongs to the host's: then it shows the same.
   */
  readonly stands?: string;
}

function fileSystemOf(mount: Mount, config: Config, { userNamespace }: Facts): FileSystem {
  const { destination, type, source } = mount;
  const stands = userNamespace ? standIn(type, config) : undefined;
  const options = labelled(optionsFor(mount, config), mount, config);
  return { destination, type, source, options, userNamespace, ...(stands !== undefined && { stands }) };
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
function fileSystem(b: Builder, { userNamespace, stands, ...mount }: FileSystem): void {
  const { options, path } = jobOf(mount, b.from);
  const type = mount.type ?? "";
  if (type === "") throw new Failure(`${b.from}.type: missing`, { cause: "only a bind mount goes without" });
  b.about(`mount ${type} on ${quote(mount.destination)}`, undefined, userNamespace ? HINTS[type] : undefined);
  // /proc and /sys that are links in the image would send what is written to them elsewhere.
  const resolve = type === "proc" || type === "sysfs" ? "RESOLVE_NO_SYMLINKS" : "";
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
  if (copiesUp) copyUp(b, slotName);
  if (sealed) setAttributes(b, slotName, { set: ["MOUNT_ATTR_RDONLY"] });
  attach(b, slotName, "target");
  finish(b, options, slotName);
}

/** Opens a directory inside the root as slot `target`, and makes it where it is missing. */
function openDirectory(b: Builder, path: readonly string[], resolve = ""): void {
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

const SET_STRING = flags("FSCONFIG_SET_STRING");
const SET_FLAG = flags("FSCONFIG_SET_FLAG");
const CMD_CREATE = flags("FSCONFIG_CMD_CREATE");

/**
 * Creates a file system with its options and leaves it, attached nowhere, in a slot.
 *
 * @param denied where to go on if it may not be made
 */
export function createFileSystem(
  b: Builder,
  type: string,
  source: string,
  options: readonly string[],
  attributes: Iterable<string>,
  into: string,
  denied?: Label,
): void {
  const context = slot("context");
  const names = [...attributes];
  const orDenied = denied && { on: { EPERM: denied } };
  b.call("fsopen", [text(type), flags("FSOPEN_CLOEXEC")], { into: "context", ...orDenied });
  b.call("fsconfig", [context, SET_STRING, text("source"), text(source), 0]);
  if (names.includes("MOUNT_ATTR_RDONLY")) b.call("fsconfig", [context, SET_FLAG, text("ro"), 0, 0]);
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals < 0) b.call("fsconfig", [context, SET_FLAG, text(option), 0, 0]);
    else {
      const [key, value] = [text(option.slice(0, equals)), text(option.slice(equals + 1))];
      b.call("fsconfig", [context, SET_STRING, key, value, 0]);
    }
  }
  b.call("fsconfig", [context, CMD_CREATE, 0, 0, 0], { ...orDenied });
  b.call("fsmount", [context, flags("FSMOUNT_CLOEXEC"), flags(...names)], { into, ...orDenied });
  b.done("context");
  b.store(-1, "context");
}

/** Asks the runtime to copy what lies at slot `target` into a new file system, and waits. */
function copyUp(b: Builder, mount: string): void {
  sendDescriptor(b, "copy-up-source", "target");
  sendDescriptor(b, "copy-up-target", mount);
  wait(b);
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
  if (cleanPath(mount.destination) === "/proc") requireProc(b, "mount");
  changeAttributes(b, options.own, { recursive: false, locked: facts.userNamespace });
  changeAttributes(b, options.recursive, { recursive: true, locked: facts.userNamespace });
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
  isIdMapped(mount, options) || (makesMounts && isBind(mount, options) && !options.keywords.has("remount"));

/** Whether a mount shows other ids than its source has. */
export const isIdMapped = ({ uidMappings = [] }: Mount, { keywords }: MountOptions): boolean =>
  uidMappings.length > 0 || keywords.has("idmap") || keywords.has("ridmap");

/**
 * Changes the attributes of the mount in slot `mount`.
 *
 * @param how `locked`: whether some may be locked, as those of the host's mounts are in a user namespace
 *   (mount_namespaces(7), "Restrictions on mount namespaces"): then they stay, and what can only be added is
 */
function changeAttributes(
  b: Builder,
  { set, clear }: Attributes,
  { recursive, locked }: { recursive: boolean; locked: boolean },
): void {
  if (set.size + clear.size === 0) return;
  if (!locked || clear.size === 0) {
    setAttributes(b, "mount", { set, clear, recursive });
    return;
  }
  const [keep, changed] = [b.label(), b.label()];
  setAttributes(b, "mount", { set, clear, recursive }, { on: { EPERM: keep }, then: changed });
  b.bind(keep);
  // How access times are kept can only be changed as a whole.
  const added = [...set].filter((name) => !name.endsWith("ATIME") || name === "MOUNT_ATTR_NODIRATIME");
  if (added.length > 0) setAttributes(b, "mount", { set: added, recursive });
  b.bind(changed);
}

/** Sets propagation: once the mount has its place, since moving it below a shared mount would undo it. */
function spread(b: Builder, { propagation }: MountOptions, mount: string): void {
  for (const { type, recursive } of propagation) setAttributes(b, mount, { propagation: type, recursive });
}

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
  changeAttributes(b, options.own, { recursive: false, locked: userNamespace });
  changeAttributes(b, options.recursive, { recursive: true, locked: userNamespace });
  if (!isBind(mount, options) && options.data.length > 0) {
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

/** A mount of type cgroup: the container's part of the host's hierarchies. */
function cgroup(b: Builder, mount: Mount, from: string, config: Config, { cgroup: facts, userNamespace }: Facts): void {
  const { destination, type, options } = mount;
  const bound = !hasNamespace(config, "cgroup");
  const says = `mount cgroup on ${quote(destination)}`;
  b.about(says, from);
  // The paths are the container's own: kept apart, since all else is the same for many.
  if (bound) for (const { directory, path } of facts.hierarchies) b.store(text(path), pathOf(directory));
  const [unified] = facts.hierarchies;
  if (facts.version === 2 && unified !== undefined) {
    b.part(unifiedHierarchy, { destination, type, options, own: unified.own, bound, userNamespace }, from);
    return;
  }
  b.part(hierarchies, { destination, type, options }, from);
  for (const { directory, options: controllers, own } of facts.hierarchies)
    b.part(hierarchy, { destination, options, directory, controllers, own, bound, userNamespace }, from);
  b.about(says, from);
  if (parseMountOptions(options).own.set.has("MOUNT_ATTR_RDONLY"))
    setAttributes(b, "cgroups", { set: ["MOUNT_ATTR_RDONLY"] });
  b.done("cgroups");
}

/** How a container gets to see its part of a hierarchy. */
interface View {
  /** Whether the part is its own. What is not it may look at only. */
  readonly own: boolean;
  /** Whether its cgroup is bound there, of the path that a slot points to; else it is that of its namespace. */
  readonly bound: boolean;
  readonly userNamespace: boolean;
}

/** The slot that points to the path of the container's cgroup in a hierarchy. */
const pathOf = (directory: string): string => `cgroup:${directory || "unified"}`;

const accessTo = ({ own }: View, attributes: Attributes): Attributes =>
  own ? attributes : { set: new Set([...attributes.set, "MOUNT_ATTR_RDONLY"]), clear: new Set() };

/** Cgroups v2. */
function unifiedHierarchy(b: Builder, data: Mount & View): void {
  const { options, path } = jobOf(data, b.from);
  const access = accessTo(data, options.own);
  b.about(`mount cgroup on ${quote(data.destination)}`);
  openDirectory(b, path);
  if (data.bound) bindCgroup(b, "", access, data);
  else createFileSystem(b, "cgroup2", "cgroup", options.data, access.set, "mount");
  attach(b, "mount", "target");
  finish(b, options, "mount");
}

/** The file system that holds the hierarchies of cgroups v1, in slot `cgroups`. */
function hierarchies(b: Builder, mount: Mount): void {
  const { options, path } = jobOf(mount, b.from);
  b.about(`mount cgroup on ${quote(mount.destination)}`);
  openDirectory(b, path);
  const attributes = [...options.own.set].filter((name) => name !== "MOUNT_ATTR_RDONLY");
  createFileSystem(b, "tmpfs", "tmpfs", ["mode=755"], attributes, "cgroups");
  attach(b, "cgroups", "target");
  b.done("target");
}

/** One of the hierarchies of cgroups v1, in a directory of the file system in slot `cgroups`. */
interface Hierarchy extends View, Pick<Mount, "destination" | "options"> {
  readonly directory: string;
  readonly controllers: readonly string[];
}

function hierarchy(b: Builder, data: Hierarchy): void {
  const { destination, directory, controllers } = data;
  const options = parseMountOptions(data.options);
  const access = accessTo(data, options.own);
  b.about(`mount cgroup on ${quote(destination)}`);
  b.call("mkdirat", [slot("cgroups"), text(directory), 0o755]);
  if (data.bound) bindCgroup(b, directory, access, data);
  else {
    const named = controllers.some((name) => name.startsWith("name="));
    createFileSystem(b, "cgroup", "cgroup", named ? ["none", ...controllers] : controllers, access.set, "mount");
  }
  // In a file system that is just this program's a name leads nowhere else.
  b.call("move_mount", [slot("mount"), NO_PATH, slot("cgroups"), text(directory), flags("MOVE_MOUNT_F_EMPTY_PATH")]);
  spread(b, options, "mount");
  b.done("mount");
  // Controllers mounted together are also found by their own names.
  for (const name of controllers)
    if (name !== directory && !name.startsWith("name="))
      b.call("symlinkat", [text(directory), slot("cgroups"), text(name)], { on: { EEXIST: "next" } });
}

function bindCgroup(b: Builder, directory: string, attributes: Attributes, { userNamespace }: View): void {
  const how = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC");
  b.call("open_tree", [AT_FDCWD, slot(pathOf(directory)), how], { into: "mount" });
  changeAttributes(b, attributes, { recursive: false, locked: userNamespace });
}
