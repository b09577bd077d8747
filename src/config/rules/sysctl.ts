import type { Config, NamespaceType } from "../../generated/config.js";
import { member, wrong } from "../explain.js";
import { hasNamespace } from "./namespaces.js";

/** The files below /proc/sys that each namespace has of its own. namespaces(7), ipc_namespaces(7), uts_namespaces(7) */
const OWNERS: [pattern: RegExp, namespace: NamespaceType][] = [
  [/^net\//, "network"],
  [/^fs\/mqueue\//, "ipc"],
  [/^kernel\/(msg(max|mnb|mni|_next_id)|sem(_next_id)?|shm(all|max|mni|_next_id|_rmid_forced))$/, "ipc"],
  [/^kernel\/domainname$/, "uts"],
  [/^user\//, "user"],
];

/** A kernel parameter that no namespace of the container's holds would be set on the host. */
export function sysctlsHaveNamespace(config: Config): void {
  for (const name of Object.keys(config.linux?.sysctl ?? {})) {
    const path = sysctlPath(name);
    const at = member("linux.sysctl", name);
    if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
      throw wrong(at, "must name a file below /proc/sys");
    if (path === "kernel/hostname") throw wrong(at, "must be set by the property hostname");
    const owner = OWNERS.find(([pattern]) => pattern.test(path))?.[1];
    if (owner === undefined) throw wrong(at, "is a parameter of the whole host, not of a namespace");
    if (!hasNamespace(config, owner)) throw wrong(at, `needs a namespace of type ${owner}`);
  }
}

/**
 * A kernel parameter's path below /proc/sys. sysctl(8)'s rule: where the first separator is a slash, dots belong to
 * names; else the two change places.
 */
export const sysctlPath = (name: string): string =>
  /^[^./]*\//.test(name) ? name : name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
