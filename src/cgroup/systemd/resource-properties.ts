import { parseNumberList } from "../../linux/number-list.js";
import type { Setting } from "../setting.js";
import type { PlacedSetting } from "../settings.js";
import { type Property, property } from "./property.js";

/** No limit, as systemd writes it. */
const INFINITY = 0xffff_ffff_ffff_ffffn;

/** The kernel's period for bandwidth, in microseconds. */
const DEFAULT_PERIOD = 100_000;

/** What a file's content is for systemd; the contents of the other files are there, too, by their names. */
type Translation = (text: string, contents: Readonly<Record<string, string>>) => Property[];

/** A limit: "max" or -1 for none. What is not a plain number is for the kernel to read. */
const limit =
  (name: string, since?: number): Translation =>
  (text) => {
    const value = text === "max" || text === "-1" ? INFINITY : /^\d+$/.test(text) ? BigInt(text) : undefined;
    return value === undefined ? [] : [{ ...property(name, "t", value), ...(since && { since }) }];
  };

/** A list of CPUs or memory nodes as bits: the first byte's lowest stands for 0. */
const mask =
  (name: string): Translation =>
  (text) => {
    const bytes: number[] = [];
    for (let bits = parseNumberList(text, MOST) ?? 0n; bits > 0n; bits >>= 8n) bytes.push(Number(bits & 0xffn));
    return bytes.length === 0 ? [] : [{ ...property(name, "ay", bytes), since: 244 }];
  };

/** More CPUs or memory nodes than any kernel has. */
const MOST = 65536;

/** A quota, in microseconds, as the time a second; systemd counts it in percent, so it is rounded up to these. */
function bandwidth(quota: string | undefined, period: string | undefined): Property[] {
  const length = Number(period ?? DEFAULT_PERIOD);
  const time = Number(quota ?? -1);
  const perSecond = time > 0 ? BigInt(Math.ceil((time * 100) / length)) * 10_000n : INFINITY;
  return [
    ...(period === undefined ? [] : [{ ...property("CPUQuotaPeriodUSec", "t", length), since: 242 }]),
    property("CPUQuotaPerSecUSec", "t", perSecond),
  ];
}

/** The files of cgroup v2 that systemd has properties for. */
const V2: Record<string, Translation> = {
  "memory.max": limit("MemoryMax"),
  "memory.high": limit("MemoryHigh"),
  "memory.low": limit("MemoryLow"),
  "memory.min": limit("MemoryMin", 240),
  "memory.swap.max": limit("MemorySwapMax"),
  "memory.zswap.max": limit("MemoryZSwapMax", 253),
  "cpu.weight": limit("CPUWeight"),
  "cpu.max": (text) => {
    const found = /^(max|\d+)(?: (\d+))?$/.exec(text);
    return found === null ? [] : bandwidth(found[1] === "max" ? undefined : found[1], found[2]);
  },
  "cpuset.cpus": mask("AllowedCPUs"),
  "cpuset.mems": mask("AllowedMemoryNodes"),
  "pids.max": limit("TasksMax"),
  "io.weight": (text) => limit("IOWeight")(text.replace(/^default /, ""), {}),
};

/** The files of cgroup v1. */
const V1: Record<string, Translation> = {
  "memory.limit_in_bytes": limit("MemoryLimit"),
  "cpu.shares": limit("CPUShares"),
  "cpu.cfs_quota_us": (text, contents) => bandwidth(text, contents["cpu.cfs_period_us"]),
  "cpu.cfs_period_us": (text, contents) => ("cpu.cfs_quota_us" in contents ? [] : bandwidth(undefined, text)),
  "blkio.bfq.weight": limit("BlockIOWeight"),
  "pids.max": limit("TasksMax"),
};

/**
 * The properties that tell systemd what is written to a unit's cgroups, as far as it has any: so that it does not write
 * something else when it comes to set them itself.
 */
export function resourceProperties(settings: readonly PlacedSetting[]): Property[] {
  const contents: Record<string, string> = {};
  for (const { file, text } of settings) contents[file] = text;
  return settings.flatMap((setting) =>
    alternatives(setting).flatMap(({ property: from, file, text }) => {
      const translate = (setting.cgroup === "" ? V2 : V1)[file];
      const properties = translate?.(text, contents) ?? [];
      return properties.map((found) => ({ ...found, from: `linux.resources.${from}` }));
    }),
  );
}

/** A setting, and what stands in for it. */
const alternatives = (setting: Setting): Setting[] => [
  setting,
  ...(typeof setting.otherwise === "object" ? alternatives(setting.otherwise) : []),
];
