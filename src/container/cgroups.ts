import { cgroupHierarchies, keysOf } from "../cgroup/hierarchy.js";
import { type CgroupPlan, planCgroup } from "../cgroup/plan-cgroup.js";
import type { Config } from "../generated/config.js";
import type { CgroupFacts } from "../init/facts.js";
import type { CreateOptions } from "./options.js";

/** Plans the cgroups of a container; none if cgroups are not to be managed. Throws Failure by JSON path. */
export function planCgroups({ linux = {} }: Config, { id, cgroups }: CreateOptions): CgroupPlan | undefined {
  if (!cgroups) return undefined;
  return planCgroup(cgroupHierarchies(), {
    id,
    ...(linux.cgroupsPath !== undefined && { cgroupsPath: linux.cgroupsPath }),
    ...(linux.resources !== undefined && { resources: linux.resources }),
    ...(linux.devices !== undefined && { devices: linux.devices }),
  });
}

/** What the compiler has to know of planned cgroups. */
export function cgroupFacts(plan: CgroupPlan | undefined): CgroupFacts {
  const places = plan?.places ?? [];
  const version1 = places.filter(({ hierarchy }) => hierarchy.version === 1);
  const shown = version1.length > 0 ? version1 : places;
  return {
    version: version1.length > 0 ? 1 : 2,
    tasks: version1.map(({ hierarchy }) => keysOf(hierarchy)[0]),
    into: places.length > version1.length,
    hierarchies: shown.map(({ hierarchy, directory }) => ({
      directory: hierarchy.mountPoint.slice(hierarchy.mountPoint.lastIndexOf("/") + 1),
      options: keysOf(hierarchy),
      path: directory,
    })),
  };
}
