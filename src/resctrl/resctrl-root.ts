import { Failure } from "../linux/failure.js";
import { mountLines, parseMount } from "../linux/mount-info.js";

/** Where a resctrl file system is mounted. Throws Failure where none is. */
export function resctrlRoot(mountInfo?: string): string {
  for (const line of mountLines(mountInfo)) {
    const { type, mountPoint } = parseMount(line);
    if (type === "resctrl") return mountPoint;
  }
  throw new Failure("linux.intelRdt", {
    cause: "no resctrl file system is mounted",
    hint: "where CPU and kernel have it, `mount -t resctrl resctrl /sys/fs/resctrl` does that",
  });
}
