import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";
import { hasNamespace } from "./namespaces.js";

/** config.md, "mounts": what can be said before the mounts are made. */
export function mountsAreComplete(config: Config): void {
  const hasUserNamespace = hasNamespace(config, "user");
  config.mounts?.forEach(({ destination, source, type, options = [], uidMappings = [], gidMappings = [] }, i) => {
    const path = (property: string) => `mounts[${i}].${property}`;
    if (destination === "") throw wrong(path("destination"), "must not be empty");
    const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (isBind && !source) throw wrong(path("source"), "is required for a bind mount");
    if (uidMappings.length > 0 !== gidMappings.length > 0) {
      const [absent, present] =
        uidMappings.length > 0 ? ["gidMappings", "uidMappings"] : ["uidMappings", "gidMappings"];
      throw wrong(path(absent), `is required beside ${present}`);
    }
    if (uidMappings.length > 0 || hasUserNamespace) return;
    for (const option of ["idmap", "ridmap"])
      if (options.includes(option))
        throw wrong(path("options"), `"${option}" needs uidMappings and gidMappings, or a user namespace`);
  });
}

/** config-linux.md, "Masked Paths" and "Readonly Paths": absolute paths in the container. */
export function protectedPathsAreAbsolute({ linux }: Config): void {
  for (const key of ["maskedPaths", "readonlyPaths"] as const)
    linux?.[key]?.forEach((path, i) => {
      if (!path.startsWith("/")) throw wrong(`linux.${key}[${i}]`, "must be an absolute path", path);
    });
}
