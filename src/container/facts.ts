import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config } from "../generated/config.js";
import type { CgroupFacts, Facts } from "../init/facts.js";
import { cstring } from "../linux/bytes.js";
import { permittedCapabilities } from "../linux/capabilities.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, isDirectory, quote, stat } from "../linux/file.js";
import { inUserNamespace } from "../linux/in-user-namespace.js";
import { mountLines, parseMount } from "../linux/mount-info.js";
import { attempt, sys } from "../linux/syscall.js";
import { findPlaces } from "./find-places.js";
import { homeOf } from "./home.js";
import { findFilter } from "./kept-filters.js";
import type { CreateOptions } from "./options.js";

const ALL_CAPABILITIES = (1n << 64n) - 1n;

/** Gathers what the compiler has to know of the host and the caller. Throws Failure where there is no root directory. */
export function gatherFacts(
  config: Config,
  options: Pick<CreateOptions, "root" | "id" | "preserveFds" | "newKeyring" | "pivot">,
  bundle: string,
  cgroup: CgroupFacts,
): Facts {
  const rootfs = rootOf(config, bundle);
  const privileged = sys("geteuid") === 0;
  const hasUserNamespace = hasNamespace(config, "user");
  const shares = config.linux?.rootfsPropagation?.endsWith("shared") ?? false;
  return {
    id: options.id,
    bundle,
    rootfs,
    preserveFds: options.preserveFds,
    privileged,
    userNamespace: hasUserNamespace || inUserNamespace(),
    makesMounts: hasUserNamespace && mayMakeMounts(),
    newKeyring: options.newKeyring,
    permitted: permittedTo(config),
    home: homeOf(rootfs, config.process?.user?.uid ?? 0),
    cgroup,
    places: findPlaces(config, bundle, rootfs),
    ...(config.linux?.seccomp && { filter: findFilter(options.root, config.linux.seccomp) }),
    ...(!options.pivot && { kernelMounts: kernelMounts() }),
    ...(shares && { parentMount: parentMountOf(rootfs) }),
  };
}

/** Whether this process has rights over its mount namespace: tried on a mount that is attached nowhere. open_tree(2) */
function mayMakeMounts(): boolean {
  const fd = attempt("open_tree", C.AT_FDCWD, cstring("/"), C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** The path of the root file system. Throws Failure where there is no directory. */
export function rootOf({ root }: Config, bundle: string): string {
  const path = root?.path ?? "";
  const rootfs = path.startsWith("/") ? path : `${bundle}/${path}`;
  const status = stat(rootfs);
  if (status === undefined) throw new Failure(`root.path: ${quote(rootfs)}`, { cause: "no such directory" });
  if (!isDirectory(status)) throw new Failure(`root.path: ${quote(rootfs)}`, { cause: "not a directory" });
  return rootfs;
}

/** The capabilities that a process of the container may have, a bit each. */
export function permittedTo(config: Config): bigint {
  // Whoever enters a user namespace has all capabilities in it. Without one, an ordinary user sees root's plan.
  const permitsAll = sys("geteuid") !== 0 || hasNamespace(config, "user");
  return permitsAll ? ALL_CAPABILITIES : permittedCapabilities();
}

/** The mount points of proc and sysfs, latest first. */
const kernelMounts = (): string[] =>
  [...mountLines("/proc/self/mountinfo")]
    .map(parseMount)
    .filter(({ type }) => type === "proc" || type === "sysfs")
    .map(({ mountPoint }) => mountPoint)
    .reverse();

/** The mount point of the mount that a path lies on. */
function parentMountOf(path: string): string {
  let parent = "/";
  for (const line of mountLines("/proc/self/mountinfo")) {
    const { mountPoint } = parseMount(line);
    if ((path === mountPoint || path.startsWith(`${mountPoint}/`)) && mountPoint.length > parent.length)
      parent = mountPoint;
  }
  return parent;
}
