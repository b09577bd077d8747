import { ANNOTATIONS } from "../config/annotations.js";
import type { Config, Mount } from "../generated/config.js";

/** Types of file systems whose labels the kernel knows by itself. */
const OWN_LABELS = new Set(["proc", "sysfs", "mqueue", "cgroup"]);

/** A file system's options with linux.mountLabel, of SELinux, for its files. */
export function labelled(options: readonly string[] = [], { type }: Pick<Mount, "type">, config: Config): string[] {
  const label = config.linux?.mountLabel;
  if (!label || OWN_LABELS.has(type ?? "")) return [...options];
  return [...options, `${config.annotations?.[ANNOTATIONS.mountContextType] ?? "context"}=${label}`];
}
