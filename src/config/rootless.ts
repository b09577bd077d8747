import type { Config, Mount } from "../generated/config.js";

/**
 * Changes a configuration into one that an ordinary user can run, as `runc spec --rootless` does: in a user namespace
 * in which that user is root, with the host's network and no limits.
 *
 * @param uid the user's ids on the host
 */
export function rootless(config: Config, uid: number, gid: number): Config {
  const { resources: _, namespaces = [], ...linux } = config.linux ?? {};
  const kept = namespaces.filter(({ type }) => type !== "network" && type !== "user");
  return {
    ...config,
    mounts: (config.mounts ?? []).map(mountFor),
    linux: {
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      namespaces: [...kept, { type: "user" }],
      ...linux,
    },
  };
}

/** A sysfs belongs to a network namespace, so the host's is bound; ids but the user's own are mapped nowhere. */
function mountFor(mount: Mount): Mount {
  if (mount.destination === "/sys")
    return { ...mount, type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
  if (mount.options === undefined) return mount;
  return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) };
}
