import { cgroupHierarchies, type Hierarchy, keysOf, visibleDirectory } from "../cgroup/hierarchy.js";
import { type CgroupPlan, planCgroup } from "../cgroup/plan-cgroup.js";
import type { Config } from "../generated/config.js";
import type { CgroupFacts } from "../init/facts.js";
import { exists } from "../linux/file.js";
import type { CreateOptions } from "./options.js";

/** Plans the cgroups of a container; none if cgroups are not to be managed. Throws Failure by JSON path. */
export function planCgroups(
  { linux = {} }: Config,
  { id, cgroups, rootless }: Pick<CreateOptions, "id" | "cgroups" | "rootless">,
): CgroupPlan | undefined {
  if (!cgroups) return undefined;
  return planCgroup(cgroupHierarchies(), {
    id,
    rootless,
    ...(linux.cgroupsPath !== undefined && { cgroupsPath: linux.cgroupsPath }),
    ...(linux.resources !== undefined && { resources: linux.resources }),
    ...(linux.devices !== undefined && { devices: linux.devices }),
  });
}

/** What the compiler has to know of planned cgroups. */
export function cgroupFacts({ mounts = [] }: Config, plan: CgroupPlan | undefined): CgroupFacts {
  const places = plan?.places ?? [];
  const version1 = places.filter(({ hierarchy }) => hierarchy.version === 1);
  const shows = mounts.some(({ type }) => type === "cgroup");
  return {
    tasks: version1.map(({ hierarchy }) => keysOf(hierarchy)[0]),
    into: places.length > version1.length,
    ...shownHierarchies(shows ? (plan?.hierarchies ?? cgroupHierarchies()) : [], places),
  };
}

/** The hierarchies that a mount of type cgroup shows: v1's where there are any. */
function shownHierarchies(
  all: readonly Hierarchy[],
  places: CgroupPlan["places"],
): Pick<CgroupFacts, "version" | "hierarchies"> {
  const version = all.some((hierarchy) => hierarchy.version === 1) ? 1 : 2;
  const hierarchies = all
    .filter((hierarchy) => hierarchy.version === version)
    .flatMap((hierarchy) => {
      const own = places.find((place) => place.hierarchy === hierarchy)?.directory;
      const path = own ?? visibleDirectory(hierarchy);
      const directory = hierarchy.mountPoint.slice(hierarchy.mountPoint.lastIndexOf("/") + 1);
      // In a container's own /sys another mount may lie where the runtime's cgroup would be seen.
      return path === undefined || (own === undefined && !exists(path))
        ? []
        : [{ directory, options: keysOf(hierarchy), path, own: own !== undefined }];
    });
  return { version, hierarchies };
}
