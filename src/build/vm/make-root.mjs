import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { mirror } from "../debian.mjs";
import { once } from "../once.mjs";
import { setUp } from "../setup.mjs";
import { Unavailable } from "../unavailable.mjs";

const ROOT = new URL("../../../", import.meta.url).pathname;
const PLACE = join(ROOT, ".cache/vm");
const CUSTOMIZE = join(ROOT, "src/build/vm/customize-root.sh");

/** By package: the program that is needed of it. */
const TOOLS = { "qemu-system-x86": "qemu-system-x86_64", mmdebstrap: "mmdebstrap", e2fsprogs: "mke2fs" };
/** What the guest has beside Debian's essential packages. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "apparmor"],
  ...["runc", "crun", "criu", "iptables", "busybox-static", "uidmap", "strace", "python3-minimal"],
  ...["iproute2", "containernetworking-plugins", "procps", "kmod", "libstdc++6"],
];

/** Milliseconds for each program. */
const TIME_LIMIT = 10 * 60 * 1000;

/**
 * The guest's root file system and kernel, made once: Debian of this machine's release, so that what was compiled here
 * runs there.
 *
 * @returns {Promise<{ image: string, kernel: string }>} paths of an ext4 file system and of a kernel
 * @throws {Unavailable} where this machine cannot make or run it
 */
export async function makeRoot() {
  if (arch() !== "x64") throw new Unavailable(`the guest is for x86-64, and this machine is ${arch()}`);
  if (process.getuid() !== 0) throw new Unavailable("needs root, to make a root file system");
  const release = /^ID=debian$.*^VERSION_CODENAME=(\w+)$/ms.exec(inOrder(readFileSync("/etc/os-release", "utf8")))?.[1];
  if (release === undefined) throw new Unavailable("the guest is as this machine, and that is no release of Debian");
  setUp(Object.keys(TOOLS));
  for (const tool of Object.values(TOOLS)) {
    const { error } = spawnSync(tool, ["--version"], { stdio: "ignore" });
    if (error) throw new Unavailable(`${tool}: ${error.message}`);
  }
  const made = { image: join(PLACE, "root.img"), kernel: join(PLACE, "vmlinuz") };
  const recipe = [release, PACKAGES.join(), CUSTOMIZE, join(ROOT, "src/build/vm/make-root.mjs")];
  await once(made.image, recipe, () => make(release, made));
  return made;
}

/** The lines of os-release(5), sorted: ID comes before VERSION_CODENAME. */
const inOrder = (text) => text.split("\n").sort().join("\n");

function make(release, { image, kernel }) {
  console.log("making the guest's root file system");
  const directory = join(PLACE, "root");
  rmSync(PLACE, { recursive: true, force: true });
  mkdirSync(PLACE, { recursive: true });
  const options = [`--include=${PACKAGES}`, `--customize-hook=sh '${CUSTOMIZE}' "$1"`];
  call("mmdebstrap", "--quiet", "--variant=minbase", ...options, release, directory, mirror());
  renameSync(join(directory, "vmlinuz"), kernel);
  makeImage(image, "root", directory, "2G");
  rmSync(directory, { recursive: true });
}

/** Makes an ext4 file system with a directory's content. */
export function makeImage(image, label, directory, size) {
  rmSync(image, { force: true });
  call("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", label, "-d", directory, image, size);
}

function call(program, ...args) {
  const options = { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8", timeout: TIME_LIMIT };
  const { status, stderr, error } = spawnSync(program, args, options);
  if (status !== 0) throw new Unavailable(`${program}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`);
}
