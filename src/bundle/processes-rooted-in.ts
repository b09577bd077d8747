import { type BigIntStats, readdirSync, statSync } from "node:fs";

/** The ids of the processes that have a directory as their root: those of the containers that run in it. */
export function processesRootedIn(directory: string): number[] {
  const root = statusOf(directory);
  if (root === undefined) return [];
  return readdirSync("/proc")
    .filter((name) => {
      const status = /^[0-9]+$/.test(name) ? statusOf(`/proc/${name}/root`) : undefined;
      return status?.dev === root.dev && status.ino === root.ino;
    })
    .map(Number);
}

/** The status of what is at a path, if it is there and may be looked at. */
function statusOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}
