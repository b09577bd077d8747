import type { Resources } from "../generated/config.js";
import { ENOENT } from "../linux/errno.js";
import { readFile } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";
import type { CgroupPaths } from "./cgroup.js";

/**
 * Completes resources that a cgroup is to be changed to by what it has: v2 keeps a quota and its period in one file,
 * and counts swap apart from memory, so that the one cannot be said without the other.
 */
export function completeResources(resources: Resources, paths: CgroupPaths): Resources {
  const { cpu, memory } = resources;
  const present = (file: string): bigint | undefined => {
    const text = expecting([ENOENT], "max", () => readFile(`${paths[""]}/${file}`));
    return /^\d/.test(text) ? BigInt(text.split(/\s/)[0]) : undefined;
  };
  const inV2 = (controller: string) => paths[""] !== undefined && paths[controller] === undefined;
  const completed = { ...resources };
  if (inV2("cpu") && cpu?.period && !cpu.quota) completed.cpu = { ...cpu, quota: present("cpu.max") ?? -1 };
  if (inV2("memory") && Number(memory?.swap) > 0 && !memory?.limit) {
    const limit = present("memory.max");
    if (limit !== undefined) completed.memory = { ...memory, limit };
  }
  return completed;
}
