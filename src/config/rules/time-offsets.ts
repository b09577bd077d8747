import type { Config, TimeOffsets } from "../../generated/config.js";
import { member, wrong } from "../explain.js";

/** The clocks that a time namespace can have otherwise than the host. time_namespaces(7) */
const CLOCKS: (keyof TimeOffsets)[] = ["monotonic", "boottime"];

/** config-linux.md, "Offset for Time Namespace". */
export function timeOffsetsHaveNamespace({ linux }: Config): void {
  const { timeOffsets = {}, namespaces = [] } = linux ?? {};
  const namespace = namespaces.find(({ type }) => type === "time");
  for (const [clock, { nanosecs = 0 }] of Object.entries(timeOffsets)) {
    const path = member("linux.timeOffsets", clock);
    if (!CLOCKS.includes(clock as keyof TimeOffsets)) throw wrong(path, `must be one of ${CLOCKS.join(", ")}`);
    if (namespace === undefined) throw wrong(path, "needs a time namespace");
    if (namespace.path) throw wrong(path, "needs a time namespace that is new: another's clocks are set already");
    if (nanosecs >= SECOND) throw wrong(`${path}.nanosecs`, `must be less than ${SECOND}`, nanosecs);
  }
}

/** Nanoseconds in a second. */
const SECOND = 1_000_000_000;
