import { Failure } from "../linux/failure.js";
import { readFile } from "../linux/file.js";
import { mountLines, parseMount } from "../linux/mount-info.js";

/** A mounted cgroup hierarchy. */
export interface Hierarchy {
  version: 1 | 2;
  /** The controllers attached, "cpu", "cpuacct"; empty for v2, whose controllers each directory lists. */
  controllers: string[];
  /** The name of a v1 hierarchy that was given one, "systemd". */
  name?: string;
  mountPoint: string;
  /** The cgroup that is seen at the mount point, "/" unless a part of the hierarchy is mounted. */
  root: string;
  /** This process's own cgroup, as /proc/self/cgroup names it. */
  ownPath: string;
}

/**
 * The hierarchies that are mounted, each at its first mount point. Throws SyscallError.
 *
 * @param proc the directory of the process, with files `cgroup` and `mountinfo`
 */
export function cgroupHierarchies(proc = "/proc/self"): Hierarchy[] {
  const sought = ownCgroups(readFile(`${proc}/cgroup`));
  const found: Hierarchy[] = [];
  for (const line of mountLines(`${proc}/mountinfo`)) {
    if (!line.includes(" - cgroup")) continue;
    const { type, root, mountPoint, superOptions } = parseMount(line);
    for (const key of type === "cgroup2" ? [""] : superOptions) {
      const own = sought.get(key);
      if (own === undefined) continue;
      found.push({ ...own, mountPoint, root });
      for (const other of keysOf(own)) sought.delete(other);
      break;
    }
    if (sought.size === 0) break;
  }
  return found;
}

type OwnCgroup = Omit<Hierarchy, "mountPoint" | "root">;

/** The lines of /proc/<pid>/cgroup by their keys: "4:cpu,cpuacct:/path", "9:name=systemd:/path", "0::/path"; cgroups(7). */
function ownCgroups(text: string): Map<string, OwnCgroup> {
  const cgroups = new Map<string, OwnCgroup>();
  for (const line of text.trimEnd().split("\n")) {
    const start = line.indexOf(":") + 1;
    const end = line.indexOf(":", start);
    const keys = line.slice(start, end).split(",");
    const own: OwnCgroup = { version: keys[0] === "" ? 2 : 1, controllers: [], ownPath: line.slice(end + 1) };
    for (const key of keys) {
      if (key.startsWith(NAME)) own.name = key.slice(NAME.length);
      else if (key !== "") own.controllers.push(key);
      cgroups.set(key, own);
    }
  }
  return cgroups;
}

const NAME = "name=";

/** What a hierarchy is found by among a container's cgroups: its controllers, "name=…", or "" for v2. */
export function keysOf({ version, controllers, name }: Pick<Hierarchy, "version" | "controllers" | "name">): string[] {
  if (version === 2) return [""];
  return name === undefined ? controllers : [...controllers, NAME + name];
}

/** Whether cgroup v2 holds all controllers: there may be named v1 hierarchies, but none with a controller. */
export const isUnified = (hierarchies: readonly Hierarchy[]): boolean =>
  hierarchies.every(({ version, controllers }) => version === 2 || controllers.length === 0) &&
  hierarchies.some(({ version }) => version === 2);

/** The hierarchy of v2 with the cgroup of another process as the own one; undefined where there is none. Throws SyscallError. */
export function unifiedOf(pid: number): Hierarchy | undefined {
  const hierarchy = cgroupHierarchies().find(({ version }) => version === 2);
  const [, ownPath] = /^0::(.*)$/m.exec(readFile(`/proc/${pid}/cgroup`)) ?? [];
  return hierarchy && ownPath !== undefined ? { ...hierarchy, ownPath } : undefined;
}

/** The directory of this process's own cgroup. Throws Failure where the mount does not show it. */
export function ownDirectory(hierarchy: Hierarchy): string {
  const directory = visibleDirectory(hierarchy);
  if (directory !== undefined) return directory;
  const { ownPath, mountPoint } = hierarchy;
  throw new Failure(`the runtime's own cgroup "${ownPath}" is not visible below "${mountPoint}"`, {
    hint: "give an absolute cgroupsPath",
  });
}

/** The directory of this process's own cgroup, or undefined where the mount does not show it. */
export function visibleDirectory({ mountPoint, root, ownPath }: Hierarchy): string | undefined {
  const prefix = root === "/" ? "" : root;
  if ((ownPath !== prefix && !ownPath.startsWith(`${prefix}/`)) || ownPath.startsWith("/..")) return undefined;
  const below = ownPath.slice(prefix.length);
  return below === "/" ? mountPoint : mountPoint + below;
}
