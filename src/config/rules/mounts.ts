import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";
import { isBind } from "./is-bind.js";
import { hasNamespace } from "./namespaces.js";

const BINDS_ONLY = "goes with bind mounts only";

/** config.md, "mounts": what can be said before the mounts are made. */
export function mountsAreComplete(config: Config): void {
  const hasUserNamespace = hasNamespace(config, "user");
  config.mounts?.forEach((mount, i) => {
    const { destination, source, options = [], uidMappings = [], gidMappings = [] } = mount;
    const path = (property: string) => `mounts[${i}].${property}`;
    if (destination === "") throw wrong(path("destination"), "must not be empty");
    const binds = isBind(mount);
    if (binds && !source) throw wrong(path("source"), "is required for a bind mount");
    if (uidMappings.length > 0 !== gidMappings.length > 0) {
      const [absent, present] =
        uidMappings.length > 0 ? ["gidMappings", "uidMappings"] : ["uidMappings", "gidMappings"];
      throw wrong(path(absent), `is required beside ${present}`);
    }
    for (const [property, mappings] of Object.entries({ uidMappings, gidMappings })) {
      if (mappings.length > 0 && !binds) throw wrong(path(property), BINDS_ONLY);
      mappings.forEach(({ size }, j) => {
        if (size === 0) throw wrong(path(`${property}[${j}].size`), "must be at least 1", size);
      });
    }
    for (const option of ["idmap", "ridmap"]) {
      if (!options.includes(option)) continue;
      if (!binds) throw wrong(path("options"), `"${option}" ${BINDS_ONLY}`);
      if (uidMappings.length === 0 && !hasUserNamespace)
        throw wrong(path("options"), `"${option}" needs uidMappings and gidMappings, or a user namespace`);
    }
  });
}

/** config-linux.md, "Masked Paths" and "Readonly Paths": absolute paths in the container. */
export function protectedPathsAreAbsolute({ linux }: Config): void {
  for (const key of ["maskedPaths", "readonlyPaths"] as const)
    linux?.[key]?.forEach((path, i) => {
      if (!path.startsWith("/")) throw wrong(`linux.${key}[${i}]`, "must be an absolute path", path);
    });
}
