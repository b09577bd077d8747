import { member } from "../config/explain.js";
import type { MemoryResources, Resources } from "../generated/config.js";
import { Failure } from "../linux/failure.js";

/** A value for a file of the container's cgroup. */
export interface Setting {
  /** The property below linux.resources that asks for it, "memory.limit". */
  property: string;
  /** The file's name; its first word is the controller's. */
  file: string;
  text: string;
  /** What to do where there is no such file: another setting, or nothing as the kernel does what is asked anyway. */
  otherwise?: Setting | "nothing";
}

/** Controllers, by their names in v1; v2 calls blkio "io", and has neither net_cls nor net_prio. */
export type Controller = "memory" | "cpu" | "cpuset" | "pids" | "blkio" | "hugetlb" | "net_cls" | "net_prio" | "rdma";

/** What each controller is to be told, in the order to write it; undefined stands for what is not asked for. */
export type Settings = Record<Controller, (resources: Resources) => (Setting | undefined)[]>;

/** A setting, unless there is no text. */
export const set = (
  property: string,
  file: string,
  text: string | undefined,
  otherwise?: Setting["otherwise"],
): Setting | undefined => (text === undefined ? undefined : { property, file, text, otherwise });

type Value = number | bigint | undefined;

/** A number, set whatever it is. */
export const decimal = (value: Value): string | undefined => (value === undefined ? undefined : String(value));

/** A number where 0 is unset: engines write it for what they leave alone. */
export const unlessZero = (value: Value): string | undefined => (Number(value ?? 0) === 0 ? undefined : String(value));

/** A list where "" is unset. */
export const unlessEmpty = (value: string | undefined): string | undefined => value || undefined;

/** A number that the kernel starts with, so that it needs no file; another one does. */
export const unlessDefault = (value: Value, initial: number): "nothing" | undefined =>
  Number(value) === initial ? "nothing" : undefined;

/** The lists of blockIO that throttle, as property, v1 file and key in v2's io.max. */
export const THROTTLES = [
  ["throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"],
  ["throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"],
  ["throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"],
  ["throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"],
] as const;

/** rdma.max, the same in both versions. */
export const rdma = ({ rdma: devices = {} }: Resources): (Setting | undefined)[] =>
  Object.entries(devices).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    return set(member("rdma", device), "rdma.max", device + handles + objects);
  });

/** Docker writes -1, which is unset, as an unsigned number. */
export const swappiness = ({ swappiness }: MemoryResources): string | undefined =>
  BigInt.asIntN(64, BigInt(swappiness ?? -1)) === -1n ? undefined : String(swappiness);

/** The error of a property that cannot be honoured. */
export const refusal = (property: string, cause: unknown, hint?: string): Failure =>
  new Failure(`linux.resources.${property}`, { cause, hint });
