import type { IOPriority, Scheduler } from "../../generated/config.js";
import { wrong } from "../explain.js";

const DEADLINE = "SCHED_DEADLINE";
const REAL_TIME = ["SCHED_FIFO", "SCHED_RR"];

/** config.md, "scheduler", and sched_setattr(2): which property goes with which policy. `at` is its JSON path. */
export function checkScheduler(scheduler: Scheduler, at: string): void {
  const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler;
  const path = (property: string) => `${at}.${property}`;
  if (policy === "SCHED_ISO") throw wrong(path("policy"), "must be one that Linux has implemented", policy);
  if (nice < -20 || nice > 19) throw wrong(path("nice"), "must be from -20 to 19", nice);
  if (REAL_TIME.includes(policy)) {
    if (priority < 1 || priority > 99) throw wrong(path("priority"), `must be from 1 to 99 for ${policy}`, priority);
  } else if (priority !== 0) throw wrong(path("priority"), `must be 0 for ${policy}`, priority);
  flags.forEach((flag, i) => {
    const ofDeadline = flag === "SCHED_FLAG_RECLAIM" || flag === "SCHED_FLAG_DL_OVERRUN";
    if (ofDeadline && policy !== DEADLINE) throw wrong(path(`flags[${i}]`), `must not be set for ${policy}`, flag);
  });
  if (policy !== DEADLINE) {
    for (const [property, value] of Object.entries({ runtime, deadline, period }))
      if (value !== 0) throw wrong(path(property), `must be 0 for ${policy}`, value);
    return;
  }
  if (runtime < LEAST_RUNTIME) throw wrong(path("runtime"), `must be at least ${LEAST_RUNTIME} for ${policy}`, runtime);
  if (deadline < runtime) throw wrong(path("deadline"), `must be at least ${runtime}, the runtime`, deadline);
  if (period !== 0 && period < deadline)
    throw wrong(path("period"), `must be at least ${deadline}, the deadline`, period);
}

/** The shortest runtime of a period that the kernel plans with, in nanoseconds. sched_setattr(2) */
const LEAST_RUNTIME = 1024;

/** config.md, "ioPriority". `at` is its JSON path. */
export function checkIOPriority({ priority = 0 }: IOPriority, at: string): void {
  if (priority < 0 || priority > 7) throw wrong(`${at}.priority`, "must be from 0 to 7", priority);
}
