import { DBusError } from "../../linux/dbus/connection.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";
import type { DevicePolicy } from "../device-policy.js";
import type { PlacedSetting } from "../settings.js";
import { deviceProperties } from "./device-properties.js";
import { type Property, property } from "./property.js";
import { resourceProperties } from "./resource-properties.js";
import { Systemd, UNIT_EXISTS } from "./systemd.js";
import { isSliceUnit, type Unit } from "./unit.js";

/** A unit that is to be made. */
export interface UnitPlan {
  readonly unit: Unit;
  /** What there is beside its limits and the process that it begins with. */
  readonly properties: readonly Property[];
  readonly limits: readonly Property[];
}

/** What a container wants of its unit. */
export interface UnitRequest {
  readonly id: string;
  readonly unit: Unit;
  /** The version of cgroups that has the controllers. */
  readonly version: 1 | 2;
  readonly settings: readonly PlacedSetting[];
  readonly devices: DevicePolicy | undefined;
  /** Of `annotationProperties`. */
  readonly more: readonly Property[];
}

/** Plans a container's unit. */
export function planUnit({ id, unit, version, settings, devices, more }: UnitRequest): UnitPlan {
  const place = isSliceUnit(unit)
    ? [property("Wants", "as", [unit.slice])]
    : [property("Slice", "s", unit.slice), property("Delegate", "b", true)];
  return {
    unit,
    properties: [
      property("Description", "s", `fdrunc container ${id}`),
      ...place,
      property("DefaultDependencies", "b", false),
      // Else systemd would not see to these controllers in the unit's cgroup.
      property("MemoryAccounting", "b", true),
      property("CPUAccounting", "b", true),
      property("TasksAccounting", "b", true),
      property(version === 2 ? "IOAccounting" : "BlockIOAccounting", "b", true),
      ...(devices === undefined ? [] : deviceProperties(devices)),
      ...more,
    ],
    limits: resourceProperties(settings),
  };
}

/** Makes a unit with a process in it; a slice begins without. Throws Failure. */
export function startUnit({ unit, properties, limits }: UnitPlan, pid: number): void {
  const { manager, name } = unit;
  const all = [...limits, ...properties, ...(isSliceUnit(unit) ? [] : [property("PIDs", "au", [pid])])];
  const start = (systemd: Systemd) => systemd.startTransientUnit(name, all);
  Systemd.use(manager, (systemd) => {
    try {
      try {
        start(systemd);
      } catch (error) {
        if (!isExisting(error)) throw error;
        // It may be what is left of one that failed.
        systemd.resetFailedUnit(name);
        start(systemd);
      }
    } catch (error) {
      if (!isExisting(error)) throw refusalBy(error, `start systemd unit ${quote(name)}`, all);
      throw new Failure(`start systemd unit ${quote(name)}`, {
        cause: "it is there already",
        hint: "does another container have this linux.cgroupsPath?",
      });
    }
  });
}

const isExisting = (error: unknown): boolean => error instanceof DBusError && error.errorName === UNIT_EXISTS;

/** Stops a unit and all that runs in it. Throws Failure. */
export function stopUnit({ manager, name }: Unit): void {
  Systemd.use(manager, (systemd) => {
    try {
      systemd.stopUnit(name);
    } catch (cause) {
      throw new Failure(`stop systemd unit ${quote(name)}`, { cause });
    }
  });
}

/**
 * Stops a unit that may have been started, or be another's, if nothing runs in it. systemd stops by itself what has got
 * empty, but never looks again at a scope whose process ended just when it was put there. Throws Failure.
 */
export function stopEmptyUnit(unit: Unit): void {
  if (isSliceUnit(unit)) return;
  const isEmpty = Systemd.use(unit.manager, (systemd) => systemd.processesOf(unit.name).length === 0);
  if (isEmpty) stopUnit(unit);
}

/** Moves a process to a container's cgroup in a unit, or to one below that: "/inner". Throws Failure. */
export function attachToUnit({ manager, name, subgroup }: Unit, cgroup: string, pid: number): void {
  Systemd.use(manager, (systemd) => {
    try {
      systemd.attachProcess(name, subgroup === undefined ? cgroup : `/${subgroup}${cgroup}`, pid);
    } catch (cause) {
      throw new Failure(`move a process to systemd unit ${quote(name)}`, { cause });
    }
  });
}

/** Tells systemd of changed limits. Throws Failure. */
export function updateUnit({ manager, name }: Unit, settings: readonly PlacedSetting[]): void {
  const properties = resourceProperties(settings);
  Systemd.use(manager, (systemd) => {
    try {
      systemd.setUnitProperties(name, properties);
    } catch (error) {
      throw refusalBy(error, `change systemd unit ${quote(name)}`, properties);
    }
  });
}

const TYPES_HINT = "are the values of the annotations org.systemd.property.* of the right types?";

/** The failure of a call; where systemd names a property, by the path of what asks for that. */
function refusalBy(cause: unknown, what: string, properties: readonly Property[]): Failure {
  const words = cause instanceof DBusError ? cause.message.split(/[^A-Za-z]+/) : [];
  const asked = properties.filter(({ from }) => from !== undefined);
  const from = asked.find(({ name }) => words.includes(name))?.from;
  if (from !== undefined) return new Failure(`${from}: ${what}`, { cause });
  const hint = asked.some((one) => one.from?.startsWith("annotations")) ? TYPES_HINT : undefined;
  return new Failure(what, { cause, ...(hint && { hint }) });
}
