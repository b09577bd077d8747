import { watchOom } from "../cgroup/oom-watch.js";
import { readStats, type Stats } from "../cgroup/stats.js";
import { monotonicTime } from "../linux/clock.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { pollReadable } from "../linux/process.js";
import type { GlobalOptions } from "./options.js";
import { withProcess } from "./recorded-process.js";
import type { Saved } from "./saved.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/** What there is to tell of a container: what it uses, or that it lacked memory. */
export type Event = { type: "stats"; id: string; data: Stats } | { type: "oom"; id: string };

/** What a container uses now. Throws Failure where it has ended. */
export function statsEvent({ root }: GlobalOptions, id: string): Event {
  const { cgroup } = running(root, id);
  return { type: "stats", id, data: readStats(cgroup) };
}

/**
 * Watches a container until it ends. Throws Failure.
 *
 * @param interval the time between two statistics, in milliseconds
 * @param tell takes what happens; the watch ends when it returns false
 */
export function watchEvents(
  { root }: GlobalOptions,
  id: string,
  interval: number,
  tell: (event: Event) => boolean,
): void {
  const saved = running(root, id);
  const oom = watchOom(saved.cgroup);
  try {
    withProcess(saved, (process) => {
      for (let next = monotonicTime() + interval; ; ) {
        const ready = pollReadable([process, oom.fd], Math.max(0, Math.ceil(next - monotonicTime())));
        // The last thing that happens to a container may be a lack of memory.
        for (let times = oom.take(); times > 0; times--) if (!tell({ type: "oom", id })) return;
        if (ready.includes(process)) return;
        if (monotonicTime() < next) continue;
        if (!tell({ type: "stats", id, data: readStats(saved.cgroup) })) return;
        next += interval;
      }
    });
  } finally {
    oom.close();
  }
}

function running(root: string, id: string): Saved {
  const saved = StateDirectory.open(root, id).read();
  const status = statusOf(saved);
  if (saved === undefined || status === "creating" || status === "stopped")
    throw new Failure(`container with id ${quote(id)} is not running`, { cause: `its status is ${status}` });
  return saved;
}
