import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cgroupHierarchies } from "../../src/cgroup/hierarchy.js";
import type { Place } from "./place.js";
import { succeeds } from "./suite.js";

/** A cgroup that a container asks for and the machine denies it. */
export interface Denial {
  /** What is denied, in a few words. */
  readonly name: string;
  /** What it needs that is not here; undefined where it can be tried. */
  readonly missing: () => string | undefined;
  /** The options of `docker run`, `podman run` and, but for --cpuset-cpus, `ctr run` that ask for it. */
  readonly flags: readonly string[];
  /** What tells of it: the cgroup's file or hierarchy, and the kernel's error. */
  readonly why: RegExp;
  /** Has `meet` run containers below a cgroup where that is denied, and no longer afterwards. */
  readonly deny: (place: Place, meet: (parent: string) => void) => void;
}

/** A hierarchy of cgroup v1, where what a cgroup has limits what those below it may ask for. */
const ofV1 = (controller: string) => cgroupHierarchies().find(({ controllers }) => controllers.includes(controller));

const lacking = (controller: string): string | undefined =>
  ofV1(controller) ? undefined : `needs the cgroup v1 controller "${controller}"`;

/** Makes a cgroup of one hierarchy, whose own parent has all that is to be had, and limits it by a file. */
function limitedParent(place: Place, controller: string, file: string, value: string): string {
  const { mountPoint = "" } = ofV1(controller) ?? {};
  const parent = `${place.tag}/limited`;
  mkdirSync(join(mountPoint, parent), { recursive: true });
  if (controller === "cpuset")
    for (const directory of [place.tag, parent])
      for (const name of ["cpuset.cpus", "cpuset.mems"])
        writeFileSync(join(mountPoint, directory, name), readFileSync(join(mountPoint, name)));
  writeFileSync(join(mountPoint, parent, file), value);
  return parent;
}

export const DENIALS: readonly Denial[] = [
  {
    name: "a CPU that its parent does not have",
    missing: () => lacking("cpuset") ?? (availableParallelism() > 1 ? undefined : "needs two CPUs"),
    flags: ["--cpuset-cpus=1"],
    why: /write .*\/limited\/.*\/cpuset\.cpus\b.*permission denied/,
    deny: (place, meet) => meet(limitedParent(place, "cpuset", "cpuset.cpus", "0")),
  },
  {
    name: "more of the CPU time than its parent has",
    missing: () => lacking("cpu"),
    flags: ["--cpu-period=100000", "--cpu-quota=50000"],
    why: /write .*\/limited\/.*\/cpu\.cfs_quota_us\b.*invalid argument/,
    deny: (place, meet) => meet(limitedParent(place, "cpu", "cpu.cfs_quota_us", "10000")),
  },
  {
    name: "a hierarchy that is mounted read-only",
    missing: () => lacking("pids"),
    flags: [],
    why: /(mkdir|make cgroup) .*\/pids\/.*read-only file system/,
    deny: (place, meet) => {
      // In the place the hierarchies are at their usual paths.
      const mount = (access: string) =>
        succeeds(place.run(["mount", "-o", `remount,bind,${access}`, "/sys/fs/cgroup/pids"]));
      mount("ro");
      try {
        meet(`${place.tag}/denied`);
      } finally {
        mount("rw");
      }
    },
  },
];
