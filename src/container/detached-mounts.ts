import type { Config, Mount } from "../generated/config.js";
import { type Facts, input } from "../init/facts.js";
import { type MountOptions, parseMountOptions } from "../init/mount-options.js";
import { isIdMapped, isMadeByRuntime } from "../init/mounts.js";
import { surroundingPropagation } from "../init/rootfs.js";
import { userNamespace } from "../launch/user-namespace.js";
import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, open, quote, using } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";

/**
 * Makes mounts, detached, by the names of the slots that init finds them in. The runtime does it where init, in a user
 * namespace of its own, may not: map ids that belong to the host, and look for a source where only the host's root may.
 * Throws Failure.
 */
export function detachedMounts(config: Config, facts: Facts): Record<string, Fd> {
  const made: Record<string, Fd> = {};
  try {
    config.mounts?.forEach((mount, index) => {
      const options = parseMountOptions(mount.options);
      if (!isMadeByRuntime(mount, options, facts)) return;
      const source = mount.source?.startsWith("/") ? mount.source : `${facts.bundle}/${mount.source ?? ""}`;
      const isMapped = isIdMapped(mount, options);
      try {
        const fd = cloneTree(source, options);
        made[input.mount(index)] = fd;
        // What is mounted in the container would otherwise spread to the host, whose mount this one copies.
        setAttributes(fd, C.AT_RECURSIVE, 0, C[surroundingPropagation(config)], 0);
        if (isMapped) mapIds(fd, mount, options, config);
      } catch (cause) {
        const what = `mounts[${index}]: ${isMapped ? "map the ids of" : "bind"} ${quote(source)}`;
        throw new Failure(what, {
          cause,
          ...(isMapped && {
            hint: facts.makesMounts
              ? "can its file system be mounted with mapped ids?"
              : "it takes root to map ids of mounts",
          }),
        });
      }
    });
    return made;
  } catch (error) {
    for (const name in made) close(made[name]);
    throw error;
  }
}

function cloneTree(source: string, { keywords }: MountOptions): Fd {
  const how = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | (keywords.has("rbind") ? C.AT_RECURSIVE : 0);
  return must("open_tree", "open_tree", attempt("open_tree", C.AT_FDCWD, cstring(source), how));
}

function mapIds(fd: Fd, mount: Mount, { keywords }: MountOptions, config: Config): void {
  using(mappingOf(mount, config), (namespace) => {
    setAttributes(fd, keywords.has("ridmap") ? C.AT_RECURSIVE : 0, C.MOUNT_ATTR_IDMAP, 0, namespace);
  });
}

/** A user namespace that has a mount's id maps: its own, or else those of the container's user namespace. */
function mappingOf({ uidMappings = [], gidMappings = [] }: Mount, { linux = {} }: Config): Fd {
  if (uidMappings.length > 0) return userNamespace(uidMappings, gidMappings);
  const joined = linux.namespaces?.find(({ type }) => type === "user")?.path;
  return joined ? open(joined, C.O_RDONLY) : userNamespace(linux.uidMappings ?? [], linux.gidMappings ?? []);
}

/** mount_setattr(2). Throws SyscallError. */
function setAttributes(fd: Fd, flags: number, set: number, propagation: number, namespace: number): void {
  const attributes = words(set, 0, propagation, namespace);
  const result = attempt("mount_setattr", fd, cstring(""), C.AT_EMPTY_PATH | flags, attributes, attributes.length);
  must("mount_setattr", "mount_setattr", result);
}
