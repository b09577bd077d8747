import type { Config } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { DEFAULT_DEVICES } from "../linux/default-devices.js";
import { quote } from "../linux/file.js";
import type { Label, Value } from "../machine/program.js";
import { AT_FDCWD, type Builder, EMPTY_PATH, flags, NO_PATH, slot, text } from "./builder.js";
import type { Facts } from "./facts.js";
import { placedMounts, placeInDev, placeOfDev, placeOfDevice } from "./places.js";
import { attach, cleanPath, components, inRoot, makeDirectories } from "./target.js";

/** A device file to make; `mode` without the type. */
interface DeviceFile {
  readonly path: string;
  /** Where it is: its path without links in that of its directory. */
  readonly place: string;
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly from?: string;
}

/** What every container has, for everybody to read and write. */
const DEFAULTS: readonly Omit<DeviceFile, "place">[] = DEFAULT_DEVICES.map((device) => ({
  ...device,
  type: "c",
  mode: 0o666,
  uid: 0,
  gid: 0,
}));

const LINKS: [name: string, to: string][] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
  ["ptmx", "pts/ptmx"],
];

const TYPES: Record<string, string> = { c: "S_IFCHR", u: "S_IFCHR", b: "S_IFBLK", p: "S_IFIFO" };

/** Compiles the default and the configured devices, and the links in /dev. Slot `root` holds the root file system. */
export function compileDevices(b: Builder, config: Config, { userNamespace, places }: Facts): void {
  const configured = (config.linux?.devices ?? []).map((device, i) => ({
    path: device.path,
    place: placeOfDevice(device.path, i, places),
    type: device.type,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    mode: (device.fileMode ?? 0o666) & ~C.S_IFMT,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
    from: `linux.devices[${i}]`,
  }));
  const dev = placeOfDev(places);
  const mounts = placedMounts(config, places);
  const mounted = mounts.map(({ destination }) => cleanPath(destination));
  // In a /dev that was just made nothing lies in the way.
  const fresh = mounts.some(
    ({ type, options }, i) => mounted[i] === dev && type === "tmpfs" && !options?.includes("tmpcopyup"),
  );
  // What is configured or mounted at a default device's path takes its place.
  const taken = new Set([...configured.map(({ place }) => place), ...mounted]);
  const without = DEFAULTS.map(({ path }) => path).filter((path) => taken.has(placeInDev(path, dev)));
  b.part(makeDefaults, { dev, without, userNamespace, fresh });
  for (const device of configured) {
    aboutDevice(b, device);
    // A device number's file cannot be made in a user namespace: there the host's own file is bound.
    if (userNamespace && device.type !== "p") bindDevice(b, device, dev);
    else makeDevice(b, device, dev, false);
  }
  b.part(makeLinks, null);
}

/** What the default devices depend on. */
interface Defaults {
  /** Where they are made. */
  readonly dev: string;
  /** The paths of those that are not. */
  readonly without: readonly string[];
  readonly userNamespace: boolean;
  /** Whether nothing can be there yet. */
  readonly fresh: boolean;
}

/** Makes the default devices. Opens their directory as slot `dev`. */
function makeDefaults(b: Builder, { dev, without, userNamespace, fresh }: Defaults): void {
  b.about("open /dev");
  makeDirectories(b, components(dev), "dev");
  for (const device of DEFAULTS) {
    if (without.includes(device.path)) continue;
    aboutDevice(b, device);
    const file = { ...device, place: placeInDev(device.path, dev) };
    if (userNamespace) bindDevice(b, file, dev);
    else makeDevice(b, file, dev, fresh);
  }
}

const aboutDevice = (b: Builder, { path, from }: Omit<DeviceFile, "place">): void =>
  b.about(`make device ${quote(path)}`, from, { ENODEV: "the host's file of that path is another device or none" });

function makeLinks(b: Builder): void {
  for (const [name, to] of LINKS) {
    b.about(`link "/dev/${name}" to ${quote(to)}`);
    b.call("symlinkat", [text(to), slot("dev"), text(name)], { on: { EEXIST: "next" } });
  }
  b.done("dev");
}

/** Opens the directory that a device goes into, unless it is `dev`. Returns the slot, and the file's name. */
function openParent(b: Builder, { place }: DeviceFile, dev: string): { directory: string; name: string } {
  const parts = components(place);
  const name = parts[parts.length - 1];
  if (place === cleanPath(`${dev}/${name}`)) return { directory: "dev", name };
  makeDirectories(b, parts.slice(0, -1), "directory");
  return { directory: "directory", name };
}

/** Makes a device file; unless it is certain that there is `nothing` yet, one that is there already will do. */
function makeDevice(b: Builder, device: DeviceFile, dev: string, nothing: boolean): void {
  const { major, minor, uid, gid } = device;
  const { directory, name } = openParent(b, device, dev);
  const type = TYPES[device.type];
  const [exists, made] = [b.label(), b.label()];
  const owned = uid === 0 && gid === 0;
  // makedev(3): the kernel's encoding of a device number in 32 bits.
  const number = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
  b.call("mknodat", [slot(directory), text(name), { flags: type, plus: device.mode }, number], {
    ...(!nothing && { on: { EEXIST: exists } }),
    ...(owned && !nothing && { then: made }),
  });
  if (!owned) b.call("fchownat", [slot(directory), text(name), uid, gid, NO_FOLLOW], nothing ? {} : { then: made });
  if (!nothing) {
    b.bind(exists);
    requireDevice(b, device, [slot(directory), text(name), NO_FOLLOW], made);
    b.fail("EEXIST");
  }
  b.bind(made);
  if (directory !== "dev") b.done(directory);
}

const NO_FOLLOW = flags("AT_SYMLINK_NOFOLLOW");

/**
 * Goes on at `good` if a file is the device: what is there already, or what is bound, must be no other, which would be
 * used in its place. `file` are the directory, name and flags that statx(2) takes.
 */
function requireDevice(b: Builder, { type, major, minor }: DeviceFile, file: readonly Value[], good: Label): void {
  const status = b.buffer("status", 256);
  const other = b.label();
  b.call("statx", [...file, flags("STATX_TYPE", "STATX_MODE"), status]);
  b.test({ memory: "status", offset: 28, size: 2, mask: 0xf000 }, FORMATS[TYPES[type]], { differs: other });
  b.test({ memory: "status", offset: 128, size: 4 }, major, { differs: other });
  b.test({ memory: "status", offset: 132, size: 4 }, minor, { equal: good });
  b.bind(other);
}

/** The file types' bits in a mode, inode(7). */
const FORMATS: Record<string, number> = { S_IFCHR: 0x2000, S_IFBLK: 0x6000, S_IFIFO: 0x1000 };

function bindDevice(b: Builder, device: DeviceFile, dev: string): void {
  const { directory, name } = openParent(b, device, dev);
  b.call("mknodat", [slot(directory), text(name), flags("S_IFREG"), 0], { on: { EEXIST: "next" } });
  b.call("openat2", inRoot(device.place, "O_PATH|O_NOFOLLOW"), { into: "target" });
  const how = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC");
  b.call("open_tree", [AT_FDCWD, text(device.path), how], { into: "mount" });
  const good = b.label();
  requireDevice(b, device, [slot("mount"), NO_PATH, EMPTY_PATH], good);
  b.fail("ENODEV");
  b.bind(good);
  attach(b, "mount", "target");
  b.done("target");
  b.done("mount");
  if (directory !== "dev") b.done(directory);
}
