import { INIT_NAME } from "../launch/executable.js";
import { executableOf, processStatus } from "../linux/process.js";
import type { Saved } from "./saved.js";

/** runtime.md, "State". */
export type Status = "creating" | "created" | "running" | "stopped";

/**
 * A container's status, read from its process and not from what was written down: while init executes fdrunc's own
 * program the container is created, or still being created if the record of it is not complete.
 */
export function statusOf(saved: Saved | undefined): Status {
  if (saved === undefined || saved.pid === 0) return "creating";
  if (!isAlive(saved)) return "stopped";
  if (!saved.ready) return "creating";
  return INIT.test(executableOf(saved.pid) ?? "") ? "created" : "running";
}

/** What /proc/PID/exe names while init executes fdrunc's own program: a memfd, or a file that lies nowhere. */
const INIT = new RegExp(`^/(memfd:)?${INIT_NAME}( \\(deleted\\))?$`);

/** Whether the process is the one recorded, and not a zombie. */
export function isAlive({ pid, startTime }: Saved): boolean {
  const process = processStatus(pid);
  return process !== undefined && process.startTime === startTime && process.state !== "Z" && process.state !== "X";
}
