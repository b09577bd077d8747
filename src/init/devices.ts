import type { Config } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { AT_FDCWD, type Builder, flags, slot, text } from "./builder.js";
import { attach, components, inRoot, makeDirectories } from "./target.js";

/** A device file to make; `mode` without the type. */
interface DeviceFile {
  readonly path: string;
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly from?: string;
}

const character = (name: string, major: number, minor: number): DeviceFile => ({
  path: `/dev/${name}`,
  type: "c",
  major,
  minor,
  mode: 0o666,
  uid: 0,
  gid: 0,
});

/** What every container has (config-linux.md, "Default Devices"). */
const DEFAULTS = [
  character("null", 1, 3),
  character("random", 1, 8),
  character("full", 1, 7),
  character("tty", 5, 0),
  character("zero", 1, 5),
  character("urandom", 1, 9),
];

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
export function compileDevices(b: Builder, config: Config): void {
  const configured = (config.linux?.devices ?? []).map((device, i) => ({
    path: device.path,
    type: device.type,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    mode: device.fileMode ?? 0o666,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
    from: `linux.devices[${i}]`,
  }));
  const own = new Set(configured.map(({ path }) => path));
  // A device number's file cannot be made in a user namespace: there the host's own file is bound.
  const inUserNamespace = config.linux?.namespaces?.some(({ type }) => type === "user") ?? false;
  b.about("open /dev");
  makeDirectories(b, ["dev"], "dev");
  for (const device of [...DEFAULTS.filter(({ path }) => !own.has(path)), ...configured]) {
    b.about(`make device ${quote(device.path)}`, device.from);
    if (inUserNamespace) bindDevice(b, device);
    else makeDevice(b, device);
  }
  for (const [name, to] of LINKS) {
    b.about(`link "/dev/${name}" to ${quote(to)}`);
    b.call("symlinkat", [text(to), slot("dev"), text(name)], { on: { EEXIST: "next" } });
  }
  b.done("dev");
}

/** Opens the directory that a device goes into. Returns the slot, and the file's name. */
function openParent(b: Builder, path: string): { directory: string; name: string } {
  const parts = components(path);
  const name = parts[parts.length - 1];
  if (parts.length === 2 && parts[0] === "dev") return { directory: "dev", name };
  makeDirectories(b, parts.slice(0, -1), "directory");
  return { directory: "directory", name };
}

function makeDevice(b: Builder, device: DeviceFile): void {
  const { major, minor, uid, gid } = device;
  const { directory, name } = openParent(b, device.path);
  const type = TYPES[device.type];
  const [exists, made] = [b.label(), b.label()];
  const owned = uid === 0 && gid === 0;
  // makedev(3): the kernel's encoding of a device number in 32 bits.
  const number = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
  b.call("mknodat", [slot(directory), text(name), { flags: type, plus: device.mode }, number], {
    on: { EEXIST: exists },
    ...(owned && { then: made }),
  });
  if (!owned) {
    b.call("fchownat", [slot(directory), text(name), uid, gid, flags("AT_SYMLINK_NOFOLLOW")], { then: made });
  }
  b.bind(exists);
  // What is there already must be the same device; anything else would be used in its place.
  const status = b.buffer("status", 256);
  const other = b.label();
  const noFollow = flags("AT_SYMLINK_NOFOLLOW");
  b.call("statx", [slot(directory), text(name), noFollow, flags("STATX_TYPE", "STATX_MODE"), status]);
  b.test({ memory: "status", offset: 28, size: 2, mask: 0xf000 }, FORMATS[type], { differs: other });
  b.test({ memory: "status", offset: 128, size: 4 }, major, { differs: other });
  b.test({ memory: "status", offset: 132, size: 4 }, minor, { equal: made });
  b.bind(other);
  b.fail("EEXIST");
  b.bind(made);
  if (directory !== "dev") b.done(directory);
}

/** The file types' bits in a mode, inode(7). */
const FORMATS: Record<string, number> = { S_IFCHR: 0x2000, S_IFBLK: 0x6000, S_IFIFO: 0x1000 };

function bindDevice(b: Builder, device: DeviceFile): void {
  const { directory, name } = openParent(b, device.path);
  b.call("mknodat", [slot(directory), text(name), flags("S_IFREG"), 0], { on: { EEXIST: "next" } });
  b.call("openat2", inRoot(device.path, "O_PATH|O_NOFOLLOW"), { into: "target" });
  const how = flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC");
  b.call("open_tree", [AT_FDCWD, text(device.path), how], { into: "mount" });
  attach(b, "mount", "target");
  b.done("target");
  b.done("mount");
  if (directory !== "dev") b.done(directory);
}
