import { EROFS, ESRCH } from "../linux/errno.js";
import { attemptWriteFile, exists, mkdirAll, writeFile } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";
import { Cgroup } from "./cgroup.js";
import { unifiedOf, visibleDirectory } from "./hierarchy.js";

/**
 * The directory for a cgroup in which a container's processes share none with others; undefined where they do not
 * anyway. Where v2 has no controllers they have none of their own there, but are in that of who has created them:
 * whoever looks for what is the container's would take all cgroups below that for it. Throws SyscallError.
 *
 * @param pid one of the processes
 */
export function placeApart(cgroup: Cgroup, pid: number): string | undefined {
  if (cgroup.directories.length === 0 || cgroup.paths[""] !== undefined) return undefined;
  const hierarchy = unifiedOf(pid);
  const shared = hierarchy && visibleDirectory(hierarchy);
  return shared && `${shared}/fdrunc-${pid}`;
}

/** Makes the cgroup and moves a container's processes to it, unless cgroups may only be looked at. Throws SyscallError. */
export function setApart(cgroup: Cgroup, own: string): void {
  expecting([EROFS], undefined, () => {
    mkdirAll(own, 0o755);
    // Not stopped meanwhile: whoever ends the runtime would leave them so.
    cgroup.reachAll((pid) => expecting([ESRCH], undefined, () => writeFile(`${own}/cgroup.procs`, String(pid))));
  });
}

/** Moves them back to the cgroup above, and removes theirs; absent is fine. Throws Failure where some are left in it. */
export function rejoin(own: string): void {
  if (!exists(own)) return;
  const cgroup = new Cgroup({ "": own });
  const shared = own.slice(0, own.lastIndexOf("/"));
  cgroup.reachAll((pid) => attemptWriteFile(`${shared}/cgroup.procs`, String(pid)));
  cgroup.remove();
}
