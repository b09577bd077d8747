import type { CgroupPaths } from "../cgroup/cgroup.js";
import { ownDirectory, unifiedOf } from "../cgroup/hierarchy.js";
import { ENODEV, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";

/**
 * The cgroups that `--cgroup` asks for, below the container's: "PATH" is that for all controllers, "CONTROLLER,…:PATH"
 * for some of v1's. They have to be there. Throws Failure.
 */
export function subCgroups(paths: CgroupPaths, wanted: readonly string[]): CgroupPaths {
  const found: Record<string, string> = { ...paths };
  const given = new Set<string>();
  for (const text of wanted) {
    const refuse = (cause: string) => new Failure(`--cgroup ${quote(text)}`, { cause });
    const colon = text.indexOf(":");
    if (colon < 0 && wanted.length > 1) throw refuse("must name controllers, since there are several");
    const path = text.slice(colon + 1);
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    if (names.includes("..")) throw refuse('must not contain ".."');
    for (const key of colon < 0 ? Object.keys(paths) : text.slice(0, colon).split(",")) {
      if (key === "") throw refuse("a controller's name is empty");
      if (paths[key] === undefined) throw refuse(`the container has no cgroup of a controller ${quote(key)}`);
      if (given.has(key)) throw refuse(`controller ${quote(key)} is there twice`);
      given.add(key);
      found[key] = [paths[key], ...names].join("/");
    }
  }
  return found;
}

/**
 * The cgroups for a process that is added to a container: the container's own. In v2 one that gives its controllers to
 * those below it takes no processes; then it is the one that init has moved to.
 */
export function cgroupsBesideInit(paths: CgroupPaths, pid: number): CgroupPaths {
  const v2 = paths[""];
  if (v2 === undefined) return paths;
  if (expecting([ENOENT, ENODEV], "", () => readFile(`${v2}/cgroup.subtree_control`)).trim() === "") return paths;
  const hierarchy = unifiedOf(pid);
  return hierarchy === undefined ? paths : { ...paths, "": ownDirectory(hierarchy) };
}
