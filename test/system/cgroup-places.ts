import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { cgroupHierarchies, type Hierarchy } from "../../src/cgroup/hierarchy.js";
import { cgroupDirectory } from "../../src/cgroup/location.js";
import { IS_ROOT, UID } from "./caller.js";

/** In the names of all that is made outside of the tests' own directory; no part of what other processes' tests have. */
export const TAG = `fdrunc-${process.pid}-test`;

/** Global options for every call of fdrunc, in environment FDRUNC_FLAGS. */
export const FLAGS: readonly string[] = (process.env.FDRUNC_FLAGS ?? "").split(" ").filter(Boolean);

/** Whether systemd manages the cgroups of the tests' containers. */
export const SYSTEMD: boolean = FLAGS.includes("--cgroup-manager=systemd");

/** A linux.cgroupsPath of the tests' own, by its last name: an ordinary user's is relative to what is left to that user. */
export const cgroupsPath = (name = "c"): string =>
  SYSTEMD ? `:${TAG}:${name}` : `${IS_ROOT ? "/" : ""}${TAG}/${name}`;

/** Where systemd puts units that name no slice. */
const SLICE = IS_ROOT ? "system.slice" : `user.slice/user-${UID}.slice/user@${UID}.service/user.slice`;

/** The directory below which a hierarchy's cgroups of relative paths go. */
export const defaultParent = (hierarchy: Hierarchy): string =>
  dirname(cgroupDirectory(hierarchy, { absolute: false, path: "any" }));

/** The directory that the tests' cgroups of a hierarchy are in, but for those that systemd makes. */
const parentIn = (hierarchy: Hierarchy): string => join(IS_ROOT ? hierarchy.mountPoint : defaultParent(hierarchy), TAG);

/** The hierarchies that the tests may make cgroups in. */
const HIERARCHIES = cgroupHierarchies().filter(
  (hierarchy) => IS_ROOT || (hierarchy.version === 2 && mayMoveIn(defaultParent(hierarchy))),
);
export const HAS_CGROUPS: boolean = HIERARCHIES.length > 0;

function mayMoveIn(directory: string): boolean {
  try {
    accessSync(join(directory, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The directories that the tests' cgroups are in, one in each hierarchy. */
export const PARENTS: readonly string[] = HIERARCHIES.map(parentIn);

/** The directory where cgroup v2 is mounted, if it is. */
export const unifiedMount = (): string | undefined => HIERARCHIES.find(({ version }) => version === 2)?.mountPoint;

/** The cgroups made by the tests' containers, the innermost first. */
export function cgroups(): string[] {
  return HIERARCHIES.flatMap((hierarchy) => {
    const places = new Set([defaultParent(hierarchy), join(hierarchy.mountPoint, SLICE)]);
    const elsewhere = [...places].flatMap((directory) =>
      entries(directory)
        .filter((name) => name.includes(TAG) && name !== TAG)
        .map((name) => join(directory, name)),
    );
    return [...below(parentIn(hierarchy)), ...elsewhere];
  });
}

function below(directory: string): string[] {
  const names = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : [];
  return names
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [...below(join(directory, name)), join(directory, name)]);
}

/** The directory of a container's cgroup for a v1 controller, or in v2, by the last name of its linux.cgroupsPath. */
export function cgroupOf(controller: string, name = "c"): string {
  const hierarchy = (HIERARCHIES.find(({ controllers }) => controllers.includes(controller)) ??
    HIERARCHIES.find(({ version }) => version === 2)) as Hierarchy;
  return SYSTEMD ? join(hierarchy.mountPoint, SLICE, `${TAG}-${name}.scope`) : join(parentIn(hierarchy), name);
}

/** The names in a directory; none where it does not exist. */
export const entries = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory).sort() : []);
