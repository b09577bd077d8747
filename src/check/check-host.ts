import { CGROUP_CHECKS } from "./cgroup-checks.js";
import { type Check, type Finding, type State, unknown } from "./check.js";
import { ENGINE_CHECKS } from "./engine-checks.js";
import type { Host } from "./host.js";
import { KERNEL_CHECKS } from "./kernel-checks.js";
import { PROGRAM_CHECKS } from "./program-checks.js";

/** All that is looked at, in the order in which it is told. */
export const CHECKS: readonly Check[] = [...KERNEL_CHECKS, ...CGROUP_CHECKS, ...PROGRAM_CHECKS, ...ENGINE_CHECKS];

/** What a check has shown. */
export interface Report {
  readonly name: string;
  readonly state: State;
  readonly found: string;
  readonly means: string;
  /** What to do, unless all is well or nobody asks for it. */
  readonly advice?: string;
  readonly required: boolean;
}

/** Looks at a host. */
export const checkHost = (host: Host, checks: readonly Check[] = CHECKS): Report[] =>
  checks.map((check) => {
    const { name, means, required = false } = check;
    const { state, found, advice = check.advice } = look(check, host);
    const isWell = state === "ok" || state === "unused";
    return { name, state, found, means, ...(!isWell && { advice }), required };
  });

/** One look that fails does not keep others from being told. */
function look(check: Check, host: Host): Finding {
  try {
    return check.look(host);
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error));
  }
}
