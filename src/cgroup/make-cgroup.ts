import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EEXIST, ENODEV, ENOENT, errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { mkdirAll, quote, readFile, writeFile } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";
import { applyDevicesV1, applyDevicesV2 } from "./apply-devices.js";
import { applySettings } from "./apply-settings.js";
import { Cgroup } from "./cgroup.js";
import { inheritCpuset } from "./cpuset.js";
import { delegate } from "./delegate.js";
import { enableControllers } from "./enable-controllers.js";
import { parentOf } from "./location.js";
import type { CgroupPlan, Place } from "./plan-cgroup.js";
import { updateUnit } from "./systemd/transient-unit.js";
import { processesIn } from "./tree.js";

/**
 * Makes the cgroups of a plan and sets their limits.
 *
 * @returns what removes again what was made: the cgroups, and parents that had not been there
 * @throws Failure; then what was made is removed
 */
export function makeCgroup(plan: CgroupPlan): () => void {
  const { cgroup, places } = plan;
  const fresh: Record<string, string> = {};
  const parents: string[] = [];
  const undo = () => {
    new Cgroup(fresh).remove();
    for (const parent of parents.reverse()) attempt("unlinkat", C.AT_FDCWD, cstring(parent), C.AT_REMOVEDIR);
  };
  try {
    for (const place of places) {
      const {
        directory,
        hierarchy: { mountPoint },
      } = place;
      const isNew = makeDirectory(directory, mountPoint, parents);
      if (isNew) fresh[directory] = directory;
      else expectEmpty(directory);
      prepare(plan, place, isNew);
    }
    // One that was there already may have been left stopped.
    if (Object.keys(fresh).length < places.length) cgroup.thaw();
    limit(plan);
    return undo;
  } catch (error) {
    undo();
    throw error;
  }
}

/**
 * Completes what systemd has made for a plan's unit: puts the unit's process into the cgroups that systemd has not put
 * it into, and sets the limits. What it makes goes with `Cgroup.remove`. Throws Failure, SyscallError.
 */
export function completeUnit(plan: CgroupPlan, pid: number): void {
  for (const place of plan.places) {
    const {
      directory,
      hierarchy: { version, mountPoint },
    } = place;
    const mayBeNew = version === 1 || plan.unit?.unit.subgroup !== undefined;
    const isNew = mayBeNew && makeDirectory(directory, mountPoint, []);
    if (version === 1) prepare(plan, place, isNew);
    const procs = `${directory}/cgroup.procs`;
    if (!readFile(procs).split("\n").includes(String(pid))) writeFile(procs, String(pid));
    // In v2 one above it that holds processes, as its unit's does until then, cannot hand out controllers.
    if (version === 2) prepare(plan, place, isNew);
  }
  limit(plan);
}

/** Gives a cgroup what it needs before there can be processes in it. */
function prepare({ settings, controllers }: CgroupPlan, { hierarchy, directory }: Place, isNew: boolean): void {
  const { version, mountPoint } = hierarchy;
  if (version === 2) {
    const needed = settings.filter(({ cgroup }) => cgroup === "").map(({ file }) => file.split(".")[0]);
    enableControllers(mountPoint, directory, controllers.v2 ?? [], needed);
  } else if (hierarchy.controllers.includes("cpuset")) {
    const files = settings.map(({ file }) => file);
    inheritCpuset(mountPoint, directory, isNew, files);
  }
}

/** Sets the limits of a plan's cgroups, and leaves them to whom they are for. */
function limit({ cgroup, settings, devices, owner }: CgroupPlan): void {
  const { devices: inV1, "": inV2 } = cgroup.paths;
  if (devices && inV1 !== undefined) applyDevicesV1(inV1, devices);
  else if (devices && inV2 !== undefined) applyDevicesV2(inV2, devices);
  applySettings(settings, cgroup.paths);
  if (owner !== undefined && inV2 !== undefined) delegate(inV2, owner);
}

/** Puts a process into the cgroup that is its to manage, below that of its container. Throws SyscallError. */
export function enterDelegated({ delegated, owner }: CgroupPlan, pid: number): void {
  if (delegated === undefined) return;
  mkdirAll(delegated, 0o755);
  if (owner !== undefined) delegate(delegated, owner);
  writeFile(`${delegated}/cgroup.procs`, String(pid));
}

/** Sets the limits of a plan whose cgroups were made `withoutLimits`. Throws Failure. */
export function setLimits({ cgroup, settings, unit }: CgroupPlan): void {
  if (unit !== undefined) updateUnit(unit.unit, settings);
  applySettings(settings, cgroup.paths);
}

/**
 * Makes a cgroup, and those above it that are not there; takes these down, the highest first.
 *
 * @returns whether it was not there yet
 */
function makeDirectory(path: string, mountPoint: string, parents: string[]): boolean {
  for (let left = TRIES; ; left--) {
    const errno = -attempt("mkdirat", C.AT_FDCWD, cstring(path), 0o755);
    if (errno === 0 || errno === EEXIST) return errno === 0;
    // The parent may also go away after it was seen: when the creation of the container that made it fails.
    const noParent = (errno === ENOENT || errno === ENODEV) && path.length > mountPoint.length;
    if (!noParent || left === 0) {
      throw new Failure(`make cgroup ${quote(path)}`, {
        cause: `${errnoText(errno)} (${errnoName(errno)})`,
        hint: HINTS[errnoName(errno)],
      });
    }
    const parent = parentOf(path);
    if (makeDirectory(parent, mountPoint, parents)) parents.push(parent);
  }
}

const TRIES = 100;

/** What the kernel means. */
const HINTS: Record<string, string> = {
  EROFS: "its hierarchy is mounted read-only",
  EAGAIN: "cgroup.max.descendants or cgroup.max.depth of a cgroup above it does not allow more",
};

/** A cgroup that is there already must not be somebody else's. */
function expectEmpty(directory: string): void {
  const count = processesIn(directory).length;
  if (count === 0) return;
  throw new Failure(`make cgroup ${quote(directory)}`, {
    cause: `it is there, with ${count} process${count === 1 ? "" : "es"} in it`,
    hint: "does another container have this linux.cgroupsPath?",
  });
}
