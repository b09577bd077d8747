import type { Config, NamespaceType } from "../../generated/config.js";
import { wrong } from "../explain.js";

/** Whether the container has a namespace of this type that is not the runtime's, new or joined. */
export const hasNamespace = ({ linux }: Config, wanted: NamespaceType): boolean =>
  linux?.namespaces?.some(({ type }) => type === wanted) ?? false;

/** Whether the container has a new namespace of this type. */
export const makesNamespace = ({ linux }: Config, wanted: NamespaceType): boolean =>
  linux?.namespaces?.some(({ type, path }) => type === wanted && !path) ?? false;

/**
 * Whether the container joins another's cgroup namespace beside a user namespace: only who is in neither can join it, and
 * from it the container's own cgroup may not be seen. So whoever joins them is in that cgroup before.
 */
export const joinsCgroupBesideUser = (config: Config): boolean =>
  hasNamespace(config, "user") && hasNamespace(config, "cgroup") && !makesNamespace(config, "cgroup");

/** config-linux.md, "Namespaces": no type twice; paths are absolute. */
export function namespacesAreDistinct({ linux }: Config): void {
  const seen = new Set<NamespaceType>();
  linux?.namespaces?.forEach(({ type, path }, i) => {
    if (seen.has(type)) throw wrong(`linux.namespaces[${i}].type`, `must not be there twice`, type);
    seen.add(type);
    if (path && !path.startsWith("/")) throw wrong(`linux.namespaces[${i}].path`, "must be an absolute path", path);
  });
}

/** Mappings belong to a user namespace, and a new one is of no use without them. user_namespaces(7) */
export function idMappingsHaveNamespace(config: Config): void {
  const user = config.linux?.namespaces?.find(({ type }) => type === "user");
  for (const key of ["uidMappings", "gidMappings"] as const) {
    const mappings = config.linux?.[key] ?? [];
    const path = `linux.${key}`;
    if (user === undefined && mappings.length > 0) throw wrong(path, "needs a user namespace");
    if (user !== undefined && !user.path && mappings.length === 0)
      throw wrong(path, "must have an entry for the new user namespace");
    mappings.forEach(({ size }, i) => {
      if (size === 0) throw wrong(`${path}[${i}].size`, "must be at least 1", size);
    });
  }
}

/** What would change the host's own mounts, or silently not protect. */
export function mountsHaveNamespace(config: Config): void {
  if (hasNamespace(config, "mount")) return;
  const { root, mounts = [], linux = {} } = config;
  const { maskedPaths = [], readonlyPaths = [], rootfsPropagation } = linux;
  const set: [path: string, isSet: boolean][] = [
    ["mounts", mounts.length > 0],
    ["root.readonly", root?.readonly === true],
    ["linux.maskedPaths", maskedPaths.length > 0],
    ["linux.readonlyPaths", readonlyPaths.length > 0],
    ["linux.rootfsPropagation", rootfsPropagation !== undefined],
  ];
  for (const [path, isSet] of set) if (isSet) throw wrong(path, "needs a mount namespace");
}
