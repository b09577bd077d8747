import { Cgroup, type CgroupPaths } from "../cgroup/cgroup.js";
import { cgroupHierarchies, type Hierarchy, isUnified, keysOf, visibleDirectory } from "../cgroup/hierarchy.js";
import { type CgroupPlan, planCgroup } from "../cgroup/plan-cgroup.js";
import { attachToUnit, stopEmptyUnit, stopUnit } from "../cgroup/systemd/transient-unit.js";
import type { Config } from "../generated/config.js";
import { type CgroupFacts, input } from "../init/facts.js";
import { exists, type Fd } from "../linux/file.js";
import type { CreateOptions } from "./options.js";
import type { Saved } from "./saved.js";

/** Plans the cgroups of a container; none if cgroups are not to be managed. Throws Failure by JSON path. */
export function planCgroups(
  config: Config,
  { id, cgroupManager, rootless }: Pick<CreateOptions, "id" | "cgroupManager" | "rootless">,
): CgroupPlan | undefined {
  if (cgroupManager === "disabled") return undefined;
  const { linux = {}, annotations } = config;
  const owner = ownerOf(config);
  return planCgroup(cgroupHierarchies(), {
    id,
    rootless,
    ...(linux.cgroupsPath !== undefined && { cgroupsPath: linux.cgroupsPath }),
    ...(linux.resources !== undefined && { resources: linux.resources }),
    ...(linux.devices !== undefined && { devices: linux.devices }),
    ...(owner !== undefined && { owner }),
    ...(cgroupManager === "systemd" && { systemd: rootless ? "user" : "system" }),
    ...(annotations !== undefined && { annotations }),
  });
}

/**
 * The user that may manage the container's cgroup from inside, by the host's number: that of its process, if it has a
 * cgroup namespace of its own and the cgroup is mounted writable (config-linux.md, "Cgroup ownership").
 */
export function ownerOf({ linux = {}, mounts = [], process }: Config): number | undefined {
  const own = (sought: string) => linux.namespaces?.some(({ type, path }) => type === sought && !path) ?? false;
  const writable = mounts.some(
    ({ source, destination, options = [] }) =>
      source === "cgroup" && /^\/*sys\/+fs\/+cgroup\/*$/.test(destination) && !options.includes("ro"),
  );
  if (!own("cgroup") || !writable) return undefined;
  const uid = process?.user?.uid ?? 0;
  // Ids in a user namespace that is joined are known to that alone.
  if (!own("user")) return linux.namespaces?.some(({ type }) => type === "user") ? undefined : uid;
  const map = linux.uidMappings?.find(({ containerID, size }) => containerID <= uid && uid < containerID + size);
  return map && map.hostID + uid - map.containerID;
}

/** What the compiler has to know of planned cgroups. */
export function cgroupFacts({ mounts = [] }: Config, plan: CgroupPlan | undefined): CgroupFacts {
  const places = plan?.places ?? [];
  const version1 = places.filter(({ hierarchy }) => hierarchy.version === 1);
  const shows = mounts.some(({ type }) => type === "cgroup");
  return {
    ...(plan?.unit
      ? { tasks: [], into: false, moved: true }
      : {
          tasks: version1.map(({ hierarchy }) => keysOf(hierarchy)[0]),
          into: places.length > version1.length,
        }),
    ...(plan?.delegated !== undefined && { delegated: true }),
    ...shownHierarchies(shows ? (plan?.hierarchies ?? cgroupHierarchies()) : [], places),
  };
}

/** Whether there are cgroups that are known to be the container's: those of a unit are once it has been started. */
export const hasCgroups = (paths: CgroupPaths): boolean => Object.keys(paths).length > 0;

/** Removes a container's cgroups, in which nothing runs any more. Throws Failure. */
export function removeCgroups({ cgroup, unit }: Saved): void {
  if (unit !== undefined) (hasCgroups(cgroup) ? stopUnit : stopEmptyUnit)(unit);
  new Cgroup(cgroup).remove();
}

/** The hierarchies that a mount of type cgroup shows: v1's where there are any. */
export function shownHierarchies(
  all: readonly Hierarchy[],
  places: CgroupPlan["places"],
): Pick<CgroupFacts, "version" | "hierarchies"> {
  const version = all.length === 0 || isUnified(all) ? 2 : 1;
  const hierarchies = all
    .filter((hierarchy) => hierarchy.version === version)
    .flatMap((hierarchy) => {
      const own = places.find((place) => place.hierarchy === hierarchy)?.directory;
      const path = own ?? visibleDirectory(hierarchy);
      const { mountPoint } = hierarchy;
      const directory = version === 2 ? "" : mountPoint.slice(mountPoint.lastIndexOf("/") + 1);
      // In a container's own /sys another mount may lie where the runtime's cgroup would be seen.
      return path === undefined || (own === undefined && !exists(path))
        ? []
        : [{ directory, options: keysOf(hierarchy), path, own: own !== undefined }];
    });
  return { version, hierarchies };
}

/** The way into cgroups that are there: descriptors, and what the compiler has to know. */
export interface OpenedCgroups {
  readonly facts: CgroupFacts;
  /** Descriptors for a program's slots, by the slots' names. */
  readonly inputs: Readonly<Record<string, Fd>>;
  /** The directory of the cgroup v2 to start in. */
  readonly into?: Fd;
  /** Moves a process there that may not enter by itself. Throws Failure. */
  readonly move?: (pid: number) => void;
}

/**
 * Opens the way for a process that is added to a container into its cgroups, or into those below at `paths`: descriptors
 * for `keep`. Throws SyscallError.
 */
export function openCgroups({ cgroup, unit }: Saved, keep: (fd: Fd) => Fd, paths: CgroupPaths = cgroup): OpenedCgroups {
  // What a user may not do, move a process from a session to the units of their own, their systemd may.
  if (unit?.manager === "user") {
    const below = paths[""].slice(cgroup[""].length);
    const facts: CgroupFacts = { version: 2, tasks: [], into: false, moved: true, hierarchies: [] };
    return { facts, inputs: {}, move: (pid) => attachToUnit(unit, below, pid) };
  }
  const { tasks, into } = new Cgroup(paths).openEntry();
  if (into !== undefined) keep(into);
  const names = tasks.map(({ name }) => name);
  return {
    facts: { version: names.length > 0 ? 1 : 2, tasks: names, into: into !== undefined, hierarchies: [] },
    inputs: Object.fromEntries(tasks.map(({ name, fd }) => [input.tasks(name), keep(fd)])),
    ...(into !== undefined && { into }),
  };
}
