import { Cgroup } from "../cgroup/cgroup.js";
import { executableOf, processStatus } from "../linux/process.js";
import type { Saved } from "./saved.js";

/** runtime.md, "State"; and a status of runc's: the processes of a created or running container are stopped. */
export type Status = "creating" | "created" | "running" | "stopped" | "paused";

/**
 * A container's status, read from its process and not from what was written down: while init executes fdrunc's own
 * program the container is created, or still being created if the record of it is not complete.
 */
export function statusOf(saved: Saved | undefined): Status {
  if (saved === undefined || saved.pid === 0) return "creating";
  if (!isAlive(saved)) return "stopped";
  if (!saved.ready) return "creating";
  if (new Cgroup(saved.cgroup).isFrozen) return "paused";
  const executable = executableOf(saved.pid);
  // A process that executes nothing has given up its memory: it ends.
  if (executable === undefined) return "stopped";
  return executable === saved.executable ? "created" : "running";
}

/** Whether the process is the one recorded, and not a zombie. */
export function isAlive({ pid, startTime }: Saved): boolean {
  const process = processStatus(pid);
  return process !== undefined && process.startTime === startTime && process.state !== "Z" && process.state !== "X";
}
