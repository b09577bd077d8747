import { isBind } from "../config/rules/is-bind.js";
import type { Mount } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { components } from "./target.js";

/** Whether a destination behind links is refused: what is written to /proc and /sys would go elsewhere. */
export const refusesLinks = ({ type }: Pick<Mount, "type">): boolean => type === "proc" || type === "sysfs";

/** What may be bound over a file of /proc: files that lxcfs and the like stand in for. */
const PROC_FILES = new Set(
  "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid sys/crypto/fips_enabled".split(
    " ",
  ),
);

/**
 * The components of where a mount comes to lie below the root. Throws Failure.
 *
 * @param from the mount's JSON path
 * @param place where its destination leads, if there are links in it
 */
export function mountDestination(mount: Mount, from: string, place?: string): string[] {
  const path = components(place ?? mount.destination);
  const refuse = (why: string) => {
    const led = place === undefined ? "" : `, a link to ${quote(place)}`;
    throw new Failure(`${from}.destination: ${quote(mount.destination)}${led}`, { cause: why });
  };
  if (path.length === 0) refuse("the root itself cannot be a mount's destination");
  if (path[0] !== "proc" || path.length === 1 || mount.type === "proc") return path;
  if (!isBind(mount) || !PROC_FILES.has(path.slice(1).join("/")))
    refuse("lies inside /proc, where only binds over a few known files are allowed");
  return path;
}
