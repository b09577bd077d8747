import { wrong } from "../config/explain.js";
import type { Config } from "../generated/config.js";
import { hasAppArmor, hasSelinux } from "../linux/security-modules.js";

/** Makes sure that the kernel has what is asked for: a label that is not heeded would confine nobody. Throws Failure. */
export function requireSecurityModules({ process, linux }: Pick<Config, "process" | "linux">): void {
  if (process?.apparmorProfile && !hasAppArmor())
    throw wrong("process.apparmorProfile", "the kernel has no AppArmor, or it is disabled", process.apparmorProfile);
  const labels: [path: string, label: string | undefined][] = [
    ["process.selinuxLabel", process?.selinuxLabel],
    ["linux.mountLabel", linux?.mountLabel],
  ];
  for (const [path, label] of labels)
    if (label && !hasSelinux()) throw wrong(path, "the kernel has no SELinux, or it is disabled", label);
}
