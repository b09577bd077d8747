import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import { isBind } from "../config/rules/is-bind.js";
import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount as OciMount } from "../generated/config.js";
import { type Places, placedMounts, placeInDev, placeOfDev, placeOfDevice } from "../init/places.js";
import { cleanPath } from "../init/target.js";
import { DEFAULT_DEVICES } from "../linux/default-devices.js";
import { type Mount, mountLines, parseMount } from "../linux/mount-info.js";
import { cgroupFacts } from "./cgroups.js";

/** File systems that are one for all who share a namespace or the kernel: seeing the host's means nothing. */
const SHARED = new Set(["proc", "sysfs", "mqueue"]);

/**
 * The mount points in a container of what is not its own, but shows a part of the host: criu has to be told of them, and
 * finds them again by these names. They are binds, what is mounted below their sources, and the host's cgroups.
 */
export function externalMounts(pid: number, config: Config, places: Places): string[] {
  const host = new Set([...mountLines()].map((line) => parseMount(line).device));
  const mounts = [...mountLines(`/proc/${pid}/mountinfo`)].map(parseMount);
  const root = mounts.find(({ mountPoint }) => mountPoint === "/");
  const binds = new Set(bindsOf(placedMounts(config, places)).map(({ destination }) => cleanPath(destination)));
  const isOwn = ({ device, type, root: shown }: Mount) =>
    !host.has(device) ||
    SHARED.has(type) ||
    (type.startsWith("cgroup") && hasNamespace(config, "cgroup")) ||
    (device === root?.device && isBelow(shown, root.root));
  const external = mounts.filter((mount) => mount.mountPoint !== "/" && (binds.has(mount.mountPoint) || !isOwn(mount)));
  return [...new Set(external.map(({ mountPoint }) => mountPoint))];
}

/**
 * Where on the host to find what a container has mounted from there, by mount point. Whether the container that is
 * restored had it mounted is not known: what is not asked for does no harm.
 */
export function externalSources(
  config: Config,
  places: Places,
  bundle: string,
  cgroups: CgroupPlan | undefined,
): Record<string, string> {
  const { maskedPaths = [], devices = [] } = config.linux ?? {};
  const mounts = placedMounts(config, places);
  const sources: Record<string, string> = {};
  const hosts = [...mountLines()].map((line) => parseMount(line).mountPoint);
  for (const path of maskedPaths) sources[cleanPath(path)] = "/dev/null";
  // Where no device can be made, the host's is bound.
  for (const { path } of DEFAULT_DEVICES) sources[placeInDev(path, placeOfDev(places))] = path;
  for (const [i, { path }] of devices.entries()) sources[placeOfDevice(path, i, places)] = path;
  for (const { destination, type } of mounts) {
    if (type !== "cgroup") continue;
    const { version, hierarchies } = cgroupFacts(config, cgroups);
    const place = cleanPath(destination);
    for (const { directory, path } of hierarchies) sources[version === 2 ? place : `${place}/${directory}`] = path;
  }
  for (const { destination, source } of bindsOf(mounts)) {
    const from = source.startsWith("/") ? source : `${bundle}/${source}`;
    const place = cleanPath(destination);
    sources[place] = from;
    for (const below of hosts)
      if (isBelow(below, from) && below !== from) sources[place + below.slice(from.length)] = below;
  }
  return sources;
}

const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);

/** Those of the config's mounts that are binds. */
export const bindsOf = (mounts: readonly OciMount[]): { destination: string; source: string }[] =>
  mounts.flatMap((mount) => {
    if (!isBind(mount) || mount.options?.includes("remount")) return [];
    return [{ destination: mount.destination, source: mount.source ?? "" }];
  });
