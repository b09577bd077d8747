import type { Process } from "../generated/config.js";
import { type Builder, flags } from "./builder.js";

/** What may be wrong with a limit that the kernel refuses. */
export const RAISING = "raising a hard limit takes CAP_SYS_RESOURCE";

/** The sentence and the place of a limit. */
export const limitSays = (
  { type, soft, hard }: NonNullable<Process["rlimits"]>[number],
  index: number,
): [says: string, from: string] => [`set ${type} to ${soft} (soft), ${hard} (hard)`, `process.rlimits[${index}]`];

/**
 * Compiles the resource limits, which init sets for itself while it may still raise them. In a user namespace it may
 * not: there the runtime sets them.
 */
export function compileLimits(b: Builder, { rlimits = [] }: Process): void {
  rlimits.forEach((limit, i) => {
    b.about(...limitSays(limit, i), RAISING);
    b.call("prlimit64", [0, flags(limit.type), { struct: [limit.soft, limit.hard] }, 0]);
  });
}
