import type { Config } from "../../generated/config.js";
import { member, wrong } from "../explain.js";

/** A path with ".." could leave the hierarchy's part that the container belongs to. */
export function cgroupsPathStaysBelow({ linux }: Config): void {
  const path = linux?.cgroupsPath;
  if (path?.split("/").includes("..")) throw wrong("linux.cgroupsPath", 'must not contain ".."', path);
}

/** config-linux.md, "Control groups": ranges narrower than the integer types. */
export function resourcesAreInRange({ linux }: Pick<Config, "linux">): void {
  const { memory = {}, cpu = {}, pids, blockIO = {} } = linux?.resources ?? {};
  for (const key of ["limit", "reservation", "swap", "kernel", "kernelTCP"] as const)
    inRange(`memory.${key}`, memory[key], -1);
  inRange("memory.swappiness", memory.swappiness, 0, 100);
  inRange("cpu.idle", cpu.idle, 0, 1);
  inRange("pids.limit", pids?.limit, -1);
  for (const key of ["weight", "leafWeight"] as const)
    if (blockIO[key]) inRange(`blockIO.${key}`, blockIO[key], 10, 1000);
  const { limit = -1, swap = -1 } = memory;
  if (limit > 0 && swap > 0 && swap < limit)
    throw wrong("linux.resources.memory.swap", `must be at least ${limit}, the limit of memory alone`, swap);
}

function inRange(path: string, value: number | bigint | undefined, min: number, max?: number): void {
  if (value === undefined || (value >= min && (max === undefined || value <= max))) return;
  const range = max === undefined ? `at least ${min}` : `from ${min} to ${max}`;
  throw wrong(`linux.resources.${path}`, `must be ${range}`, value);
}

/** config-linux.md, "Unified": keys are files of the cgroup's own directory. */
export function unifiedKeysAreFiles({ linux }: Pick<Config, "linux">): void {
  for (const key of Object.keys(linux?.resources?.unified ?? {}))
    if (key === "" || key === "." || key === ".." || key.includes("/"))
      throw wrong(member("linux.resources.unified", key), "must be a file name");
}
