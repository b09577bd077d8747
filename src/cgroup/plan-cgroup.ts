import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import type { Device, Resources } from "../generated/config.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { attempt } from "../linux/syscall.js";
import { availableControllers, Cgroup, type CgroupPaths } from "./cgroup.js";
import { type DevicePolicy, devicePolicy } from "./device-policy.js";
import { type Hierarchy, isUnified, keysOf, visibleDirectory } from "./hierarchy.js";
import { cgroupDirectory, cgroupLocation, type Location, parentOf } from "./location.js";
import { refusal } from "./setting.js";
import { type Controllers, type PlacedSetting, settingsFor } from "./settings.js";
import { annotationProperties } from "./systemd/annotation-properties.js";
import { Systemd } from "./systemd/systemd.js";
import { planUnit, type UnitPlan } from "./systemd/transient-unit.js";
import { cgroupInUnit, type Manager, type Unit, unitOf } from "./systemd/unit.js";

/** What a container wants of its cgroups. */
export interface CgroupRequest {
  id: string;
  /** linux.cgroupsPath */
  cgroupsPath?: string;
  /** linux.resources */
  resources?: Resources;
  /** linux.devices */
  devices?: Device[];
  /** The user, as the host numbers them, to leave the cgroup to where that is safe: where v2 has all controllers. */
  owner?: number;
  /** Whose systemd manages the cgroups, if one does. */
  systemd?: Manager;
  /** The config's annotations: some are for systemd. */
  annotations?: Readonly<Record<string, string>>;
  /** Whether the runtime has no rights over the host: then it does without the cgroups that it may not make. */
  rootless?: boolean;
}

/** A cgroup of a container. */
export interface Place {
  hierarchy: Hierarchy;
  directory: string;
}

/** Cgroups that are to be made. */
export interface CgroupPlan {
  /** The cgroups, by their paths; they need not exist yet. */
  cgroup: Cgroup;
  places: Place[];
  /** All that are mounted. */
  hierarchies: readonly Hierarchy[];
  settings: PlacedSetting[];
  /** Absent where the runtime has no rights over devices. */
  devices?: DevicePolicy;
  /** The user to leave the v2 cgroup to. */
  owner?: number;
  /** The directory of the cgroup below it that the container's process manages. */
  delegated?: string;
  controllers: Controllers;
  /** The unit by which systemd makes the cgroups, if it does. */
  unit?: UnitPlan;
}

/**
 * Plans a container's cgroups: one in each v1 hierarchy, and one in v2 where v2 has all controllers or one that a limit
 * needs. Changes nothing.
 *
 * @throws Failure by JSON path
 */
export function planCgroup(hierarchies: readonly Hierarchy[], request: CgroupRequest): CgroupPlan {
  const { id, cgroupsPath, resources = {}, rootless = false, systemd, annotations = {} } = request;
  const unit =
    systemd && withSubgroup(unitOf(cgroupsPath, id, systemd), inner("systemdSubgroup", request, hierarchies));
  const location = unit ? locationOf(unit, hierarchies) : cgroupLocation(cgroupsPath, id);
  const devices = devicePolicy(resources.devices, request.devices);
  const controllers = controllersOf(hierarchies);
  const settings = settingsFor(resources, controllers);
  const inV2 = !controllers.v1.includes("devices") || settings.some(({ cgroup }) => cgroup === "");
  // Without rights, a place that nobody asked for may be gone without.
  const optional = rootless && !cgroupsPath && unit === undefined;
  const places = hierarchies
    .filter(
      (hierarchy) => (hierarchy.version === 1 || inV2) && !(optional && visibleDirectory(hierarchy) === undefined),
    )
    .map((hierarchy) => ({ hierarchy, directory: cgroupDirectory(hierarchy, location) }))
    .filter(({ hierarchy, directory }) => !optional || mayMake(hierarchy, directory));
  const paths: Record<string, string> = {};
  for (const { hierarchy, directory } of places) for (const key of keysOf(hierarchy)) paths[key] = directory;
  const allowed = rootless ? undefined : devices;
  if (allowed && paths.devices === undefined && paths[""] === undefined) {
    throw refusal("devices", "no cgroup hierarchy that controls devices is mounted");
  }
  const { owner } = request;
  const delegated = inner("delegateCgroup", request, hierarchies);
  const plan = {
    cgroup: new Cgroup(paths),
    places,
    hierarchies,
    settings: settable(settings, paths),
    controllers,
    ...(allowed && { devices: allowed }),
    ...(allowed && owner !== undefined && isUnified(hierarchies) && { owner }),
    ...(delegated && paths[""] !== undefined && { delegated: `${paths[""]}/${delegated}` }),
  };
  if (unit === undefined) return plan;
  const version = isUnified(hierarchies) ? 2 : 1;
  const more = annotationProperties(annotations);
  return { ...plan, unit: planUnit({ id, unit, version, settings: plan.settings, devices: allowed, more }) };
}

/** The cgroup below another that an annotation names, if it does. Throws Failure where there is not v2 alone. */
function inner(
  name: "systemdSubgroup" | "delegateCgroup",
  { annotations = {} }: CgroupRequest,
  hierarchies: readonly Hierarchy[],
): string | undefined {
  const path = annotations[ANNOTATIONS[name]];
  if (!path) return undefined;
  if (isUnified(hierarchies)) return path;
  throw new Failure(member("annotations", ANNOTATIONS[name]), { cause: "needs cgroup v2 alone" });
}

const withSubgroup = (unit: Unit, subgroup: string | undefined): Unit => (subgroup ? { ...unit, subgroup } : unit);

/** The same cgroups as yet without limits. */
export const withoutLimits = ({ unit, ...plan }: CgroupPlan): CgroupPlan => ({
  ...plan,
  settings: [],
  ...(unit && { unit: { ...unit, limits: [] } }),
});

/** Where systemd puts a unit's cgroups. Throws Failure. */
function locationOf(unit: Unit, hierarchies: readonly Hierarchy[]): Location {
  const path = cgroupInUnit(unit);
  if (unit.manager === "system") return { absolute: true, path };
  if (!isUnified(hierarchies)) throw new Failure("an ordinary user's systemd manages cgroups in pure cgroup v2 only");
  const above = Systemd.use(unit.manager, ({ controlGroup }) => controlGroup);
  return { absolute: true, path: `${above}/${path}`.slice(1) };
}

/** The controllers of a host; v2's are looked up when they are asked for. */
function controllersOf(hierarchies: readonly Hierarchy[]): Controllers {
  const unified = hierarchies.find(({ version }) => version === 2);
  let v2: readonly string[] | undefined;
  return {
    v1: hierarchies.flatMap(({ controllers }) => controllers),
    get v2() {
      if (unified) v2 ??= availableControllers(unified.mountPoint);
      return v2;
    },
  };
}

/**
 * Whether this process may make a cgroup: whether it may write to what exists on the way there; in v2 also whether it
 * may move processes from its own cgroup, which lies below that too (cgroups(7), "Delegation containment rules").
 */
function mayMake({ version }: Hierarchy, directory: string): boolean {
  for (let path = directory; path !== ""; path = parentOf(path)) {
    const result = mayWrite(path);
    if (result !== -ENOENT) return result === 0 && (version === 1 || mayWrite(`${path}/cgroup.procs`) === 0);
  }
  return false;
}

const mayWrite = (path: string): number => attempt("faccessat2", C.AT_FDCWD, cstring(path), C.W_OK, C.AT_EACCESS);

/** The settings whose cgroups are there; a limit is not dropped because its cgroup is not. */
const settable = (settings: readonly PlacedSetting[], paths: CgroupPaths): PlacedSetting[] =>
  settings.filter(({ property, cgroup, otherwise }) => {
    if (paths[cgroup] !== undefined) return true;
    if (otherwise === "nothing") return false;
    throw refusal(property, "the container could not join or create cgroup: this user may not make the cgroup for it");
  });
