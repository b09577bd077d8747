import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { cgroupHierarchies } from "../../src/cgroup/hierarchy.js";
import { cstring } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { sleep } from "../../src/linux/sleep.js";
import { sys } from "../../src/linux/syscall.js";

/**
 * Moves the hugetlb controller from cgroup v2 to a v1 hierarchy, where the other controllers are in v1 too: crun refuses
 * a mixture. The mount is seen by this process and its children alone, so nobody else comes to hold it. Returns what
 * moves it back; that must be called when no cgroups are left in it.
 */
export function moveHugetlb(): () => void {
  const other = cgroupHierarchies().find(({ version, controllers }) => version === 1 && controllers.length > 0);
  if (other === undefined || hugetlb().hierarchy !== 0) return () => {};
  const directory = join(dirname(other.mountPoint), "hugetlb");
  sys("unshare", C.CLONE_NEWNS);
  sys("mount", null, cstring("/"), null, C.MS_REC | C.MS_PRIVATE, null);
  mkdirSync(directory);
  try {
    sys("mount", cstring("cgroup"), cstring(directory), cstring("cgroup"), 0, cstring("hugetlb"));
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
  return () => {
    // The hierarchy would outlive its mount if a removed cgroup of it was not gone in the kernel yet.
    for (let tries = 0; hugetlb().cgroups > 1 && tries < 100; tries++) sleep(10);
    sys("umount2", cstring(directory), 0);
    rmdirSync(directory);
  };
}

/** Where the controller is: a v1 hierarchy's number, or 0; and how many cgroups that has. cgroups(7), /proc/cgroups */
function hugetlb(): { hierarchy: number; cgroups: number } {
  const [, hierarchy, cgroups] = /^hugetlb\s+(\d+)\s+(\d+)/m.exec(readFileSync("/proc/cgroups", "utf8")) ?? [];
  return { hierarchy: Number(hierarchy), cgroups: Number(cgroups) };
}
