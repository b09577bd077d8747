import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { type Hierarchy, ownDirectory } from "./hierarchy.js";

/** Where a container's cgroups go, the same in every hierarchy. */
export interface Location {
  /** Whether the path starts at the hierarchies' roots; else at the runtime's default parent. */
  absolute: boolean;
  /** Names joined by "/", without one in front; never empty. */
  path: string;
}

/**
 * Reads linux.cgroupsPath; where there is none, the container's id is a relative path.
 *
 * @throws Failure if the path leads out of its parent, is the root itself, or is systemd's slice:prefix:name
 */
export function cgroupLocation(cgroupsPath: string | undefined, id: string): Location {
  if (!cgroupsPath) return { absolute: false, path: id };
  const refuse = (cause: string, hint?: string) =>
    new Failure(`linux.cgroupsPath: ${quote(cgroupsPath)}`, { cause, hint });
  if (/^[^/:]*:[^/:]*:[^/:]*$/.test(cgroupsPath)) throw refuse("is of systemd's form", "it needs --systemd-cgroup");
  const names = cgroupsPath.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw refuse('has ".." in it');
  if (names.length === 0) throw refuse("names no cgroup below the root");
  return { absolute: cgroupsPath.startsWith("/"), path: names.join("/") };
}

/**
 * The directory of a location in a hierarchy. The default parent is the runtime's own cgroup; in v2 the one above it,
 * since a cgroup that holds processes cannot hand out controllers.
 */
export function cgroupDirectory(hierarchy: Hierarchy, { absolute, path }: Location): string {
  if (absolute) return `${hierarchy.mountPoint}/${path}`;
  const own = ownDirectory(hierarchy);
  const parent = hierarchy.version === 2 && own !== hierarchy.mountPoint ? parentOf(own) : own;
  return `${parent}/${path}`;
}

/** The directory above. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
