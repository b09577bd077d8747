import type { Config } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { AT_FDCWD, type Builder, flags, NO_PATH, openHow, slot, text } from "./builder.js";
import { compileDevices } from "./devices.js";
import type { Facts } from "./facts.js";
import { send, wait } from "./message.js";
import { compileMounts } from "./mounts.js";
import { makesDevices } from "./places.js";
import { attach, cloneTree, components, makeDirectories, setAttributes } from "./target.js";

type Propagation = "MS_SHARED" | "MS_SLAVE" | "MS_PRIVATE" | "MS_UNBINDABLE";

const PROPAGATION: Record<string, Propagation> = {
  shared: "MS_SHARED",
  slave: "MS_SLAVE",
  private: "MS_PRIVATE",
  unbindable: "MS_UNBINDABLE",
};

/** The propagation type named by linux.rootfsPropagation, of mount(2); its recursive form ("rslave") counts too. */
const propagationOf = (config: Config): Propagation | undefined =>
  PROPAGATION[config.linux?.rootfsPropagation?.replace(/^r/, "") ?? ""];

/** The propagation of what the container sees of the host's mounts, before the config says otherwise for some. */
export function surroundingPropagation(config: Config): Propagation {
  const propagation = propagationOf(config) ?? "MS_SLAVE";
  // What is unbindable could not be bound: only the root becomes that, at last.
  return propagation === "MS_UNBINDABLE" ? "MS_PRIVATE" : propagation;
}

/** Compiles the file system: its root, all that is mounted and made in it, and the change of root. */
export function compileRootfs(b: Builder, config: Config, facts: Facts): void {
  const namespace = config.linux?.namespaces?.find(({ type }) => type === "mount");
  if (namespace === undefined) {
    changeRoot(b, facts);
    return;
  }
  if (namespace.path === undefined || namespace.path === "") isolateMounts(b, config, facts);
  openRoot(b, facts);
  compileMounts(b, config, facts);
  if (makesDevices(config, facts.places)) compileDevices(b, config, facts);
  makeWorkingDirectory(b, config, facts);
  // Hooks see the mounts, and still the host's file system around them.
  if (hasCreateHooks(config)) {
    b.about("wait for the prestart, createRuntime and createContainer hooks", "hooks");
    send(b, "mounted");
    wait(b);
  }
  if (facts.kernelMounts === undefined) b.part(pivot, propagationOf(config) === "MS_SHARED", "root.path");
  else moveRoot(b, facts.kernelMounts);
}

export function hasCreateHooks({ hooks = {} }: Config): boolean {
  const { prestart = [], createRuntime = [], createContainer = [] } = hooks;
  return prestart.length + createRuntime.length + createContainer.length > 0;
}

/** Without a mount namespace: the root changes for this process alone. */
function changeRoot(b: Builder, { rootfs }: Facts): void {
  b.about(`change the root to ${quote(rootfs)}`, "root.path");
  b.call("openat", [AT_FDCWD, text(rootfs), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], { into: "root" });
  b.call("fchdir", [slot("root")]);
  b.call("chroot", [text(".")]);
}

/** Keeps what is mounted from now on from spreading to the host. */
function isolateMounts(b: Builder, config: Config, { parentMount }: Facts): void {
  const propagation = surroundingPropagation(config);
  b.about("set the propagation of all mounts", "linux.rootfsPropagation");
  b.call("mount", [0, text("/"), 0, flags("MS_REC", propagation), 0]);
  if (propagation === "MS_SHARED" && parentMount !== undefined) {
    // The root's own mount must not spread, and pivot_root(2) refuses a parent that is shared.
    b.about(`make ${quote(parentMount)} private`, "linux.rootfsPropagation");
    b.call("mount", [0, text(parentMount), 0, flags("MS_PRIVATE"), 0]);
  }
}

/** Makes the root file system a mount of its own, opened as slot `root`. */
function openRoot(b: Builder, { rootfs }: Facts): void {
  b.about(`bind the root file system ${quote(rootfs)} on itself`, "root.path");
  b.call("openat", [AT_FDCWD, text(rootfs), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], {
    into: "target",
  });
  cloneTree(b, "target", "root", true);
  attach(b, "root", "target");
  // The host's own directory, from which a way leads up: never left open.
  b.close("target");
}

/** The working directory is made where it is missing, as the other runtimes do. */
function makeWorkingDirectory(b: Builder, config: Config, { places }: Facts): void {
  const path = components(places.get("process.cwd") ?? config.process?.cwd ?? "/");
  if (path.length === 0) return;
  b.about(`make the working directory ${quote(config.process?.cwd ?? "/")}`, "process.cwd");
  const [missing, there] = [b.label(), b.label()];
  const how = openHow("O_PATH|O_CLOEXEC", "RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS");
  b.call("openat2", [slot("root"), text(path.join("/")), ...how], {
    into: "target",
    on: { ENOENT: missing },
    then: there,
  });
  b.bind(missing);
  makeDirectories(b, path, "target");
  b.bind(there);
  b.done("target");
}

/**
 * Without pivot_root(2), which a root on a ramdisk does not allow: the root file system comes to lie on "/". The host's
 * stays below it, so what could be reached there in spite of masks is taken away first.
 */
function moveRoot(b: Builder, kernelMounts: readonly string[]): void {
  for (const path of kernelMounts) {
    b.about(`take away the host's ${quote(path)}`, "root.path");
    b.call("umount2", [text(path), flags("MNT_DETACH")]);
  }
  b.about("move the root file system to the root", "root.path");
  b.call("fchdir", [slot("root")]);
  b.call("move_mount", [slot("root"), NO_PATH, AT_FDCWD, text("/"), flags("MOVE_MOUNT_F_EMPTY_PATH")]);
  b.call("chroot", [text(".")]);
  b.call("chdir", [text("/")]);
}

/** @param shared whether the host's mounts, which are taken away, may spread that */
function pivot(b: Builder, shared: boolean): void {
  b.about("change the root to the container's");
  b.call("fchdir", [slot("root")]);
  // With both the same, the old root comes to lie on the new one, from where it is taken away (pivot_root(2), Notes).
  b.call("pivot_root", [text("."), text(".")]);
  if (shared) b.call("mount", [0, text("."), 0, flags("MS_REC", "MS_SLAVE"), 0]);
  b.call("umount2", [text("."), flags("MNT_DETACH")]);
  b.call("chdir", [text("/")]);
}

/** Compiles what is done to the root mount itself, once nothing more has to be written to it. */
export function compileRootMount(b: Builder, config: Config): void {
  const propagation = propagationOf(config);
  if (propagation !== undefined) {
    b.about(`make the root's propagation ${config.linux?.rootfsPropagation}`, "linux.rootfsPropagation");
    setAttributes(b, "root", { propagation });
  }
  if (config.root?.readonly) {
    b.about("make the root file system read-only", "root.readonly");
    setAttributes(b, "root", { set: ["MOUNT_ATTR_RDONLY"] });
  }
}
