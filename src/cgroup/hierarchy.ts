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
  const found: Hierarchy[] = [];
  const sought = ownCgroups(readFile(`${proc}/cgroup`));
  for (const line of mountLines(`${proc}/mountinfo`)) {
    if (!line.includes(" - cgroup")) continue;
    const { type, root, mountPoint, superOptions } = parseMount(line);
    const version = type === "cgroup2" ? 2 : 1;
    const at = sought.findIndex(
      (hierarchy) =>
        hierarchy.version === version && keysOf(hierarchy).every((key) => !key || superOptions.includes(key)),
    );
    if (at < 0) continue;
    found.push({ ...sought[at], mountPoint, root });
    sought.splice(at, 1);
    if (sought.length === 0) break;
  }
  return found;
}

/** The lines of /proc/<pid>/cgroup, "4:cpu,cpuacct:/path", "9:name=systemd:/path" or "0::/path"; cgroups(7). */
function ownCgroups(text: string): Omit<Hierarchy, "mountPoint" | "root">[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, id, list, ownPath] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      const keys = list.split(",").filter((key) => key !== "");
      const name = keys.find((key) => key.startsWith(NAME))?.slice(NAME.length);
      return {
        version: id === "0" ? 2 : 1,
        controllers: keys.filter((key) => !key.startsWith(NAME)),
        ...(name !== undefined && { name }),
        ownPath,
      };
    });
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

/** The directory of this process's own cgroup. Throws Failure where the mount does not show it. */
export function ownDirectory({ mountPoint, root, ownPath }: Hierarchy): string {
  const prefix = root === "/" ? "" : root;
  if ((ownPath !== prefix && !ownPath.startsWith(`${prefix}/`)) || ownPath.startsWith("/..")) {
    throw new Failure(`the runtime's own cgroup "${ownPath}" is not visible below "${mountPoint}"`, {
      hint: "give an absolute cgroupsPath",
    });
  }
  const below = ownPath.slice(prefix.length);
  return below === "/" ? mountPoint : mountPoint + below;
}
