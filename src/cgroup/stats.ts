import { ENODEV, ENOENT, EOPNOTSUPP } from "../linux/errno.js";
import { readFile } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";
import type { CgroupPaths } from "./cgroup.js";
import type { Read, StatsReader } from "./counters.js";
import { statsV1 } from "./stats-v1.js";
import { statsV2 } from "./stats-v2.js";

/**
 * What a container has used and is allowed, by topic, in the form that runc's `events` prints: names, units, and which
 * members are left out while they are zero. What the kernel does not count is zero.
 */
export type Stats = Record<Topic | "intel_rdt" | "network_interfaces", unknown>;

type Topic = "cpu" | "cpuset" | "memory" | "pids" | "blkio" | "hugetlb";

/** The controllers whose files tell about each topic. */
const CONTROLLERS: Record<Topic, readonly string[]> = {
  cpu: ["cpu", "cpuacct"],
  cpuset: ["cpuset"],
  memory: ["memory"],
  pids: ["pids"],
  blkio: ["blkio"],
  hugetlb: ["hugetlb"],
};

/** Reads a container's statistics from its cgroups. Throws SyscallError. */
export function readStats(paths: CgroupPaths): Stats {
  const topic = (name: Topic): unknown => {
    const [version, directories] = CONTROLLERS[name].some((controller) => paths[controller] !== undefined)
      ? [statsV1, CONTROLLERS[name].map((controller) => paths[controller])]
      : [statsV2, [paths[""]]];
    return (version[name] as StatsReader)(...directories.map(readerOf));
  };
  return {
    cpu: topic("cpu"),
    cpuset: topic("cpuset"),
    memory: topic("memory"),
    pids: topic("pids"),
    blkio: topic("blkio"),
    hugetlb: topic("hugetlb"),
    intel_rdt: {},
    // runc counts here what passes the interfaces that it has made itself: none, for years.
    network_interfaces: null,
  };
}

/** Reads a directory's files; one that is not there, or cannot be read in this kind of cgroup, is empty. */
const readerOf =
  (directory: string | undefined): Read =>
  (file) =>
    directory === undefined
      ? ""
      : expecting([ENOENT, ENODEV, EOPNOTSUPP], "", () => readFile(`${directory}/${file}`)).trim();
