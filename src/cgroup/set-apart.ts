import { EROFS, ESRCH } from "../linux/errno.js";
import { mkdir, readFile, writeFile } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";
import type { Cgroup } from "./cgroup.js";
import { cgroupHierarchies, visibleDirectory } from "./hierarchy.js";
import { removeCgroup } from "./tree.js";

/**
 * Runs `work` while a container's processes share no cgroup with others. Where v2 has no controllers they have none of
 * their own there, but are in that of who has created them: whoever looks for what is the container's would take all
 * cgroups below that for it. Throws Failure, SyscallError, and what `work` throws.
 *
 * @param pid one of the processes
 */
export function setApart<T>(cgroup: Cgroup, pid: number, work: () => T): T {
  const shared = cgroup.directories.length > 0 && cgroup.paths[""] === undefined ? directoryOf(pid) : undefined;
  const own = `${shared}/fdrunc-${pid}`;
  if (shared === undefined || !make(own)) return work();
  try {
    moveAll(cgroup, own);
    return work();
  } finally {
    moveAll(cgroup, shared);
    removeCgroup(own, true);
  }
}

/** Makes a cgroup. Returns false where cgroups are there to be looked at only. */
const make = (directory: string): boolean =>
  expecting([EROFS], false, () => {
    mkdir(directory, 0o755);
    return true;
  });

/** The directory of a process's cgroup v2, if there is one that can be seen. */
function directoryOf(pid: number): string | undefined {
  const hierarchy = cgroupHierarchies().find(({ version }) => version === 2);
  const [, ownPath] = /^0::(.*)$/m.exec(readFile(`/proc/${pid}/cgroup`)) ?? [];
  return hierarchy && ownPath !== undefined ? visibleDirectory({ ...hierarchy, ownPath }) : undefined;
}

/** Moves all processes to a cgroup v2, stopped meanwhile so that none is made which stays behind. */
function moveAll(cgroup: Cgroup, directory: string): void {
  if (cgroup.processes().length === 0) return;
  const wasFrozen = cgroup.isFrozen;
  if (!wasFrozen) cgroup.freeze();
  try {
    for (const pid of cgroup.processes())
      expecting([ESRCH], undefined, () => writeFile(`${directory}/cgroup.procs`, String(pid)));
  } finally {
    if (!wasFrozen) cgroup.thaw();
  }
}
