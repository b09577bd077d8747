import type { Config } from "../generated/config.js";
import { input } from "../init/facts.js";
import { parseMountOptions } from "../init/mount-options.js";
import { isIdMapped } from "../init/mounts.js";
import { userNamespace } from "../launch/user-namespace.js";
import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, quote } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";

/**
 * Makes the id-mapped mounts, detached, by the names of the slots that init finds them in. The runtime does it: it may
 * map what belongs to the host, and init in a user namespace of its own may not. Throws Failure.
 */
export function idMappedMounts({ mounts = [], linux = {} }: Config, bundle: string): Record<string, Fd> {
  const made: Record<string, Fd> = {};
  try {
    mounts.forEach((mount, index) => {
      const options = parseMountOptions(mount.options);
      if (!isIdMapped(mount, options)) return;
      const recursive = options.keywords.has("ridmap");
      const source = mount.source?.startsWith("/") ? mount.source : `${bundle}/${mount.source ?? ""}`;
      const uids = mount.uidMappings ?? linux.uidMappings ?? [];
      const gids = mount.gidMappings ?? linux.gidMappings ?? [];
      try {
        const tree = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | (options.keywords.has("rbind") ? C.AT_RECURSIVE : 0);
        const fd = must("open_tree", "open_tree", attempt("open_tree", C.AT_FDCWD, cstring(source), tree));
        made[input.mount(index)] = fd;
        const namespace = userNamespace(uids, gids);
        const at = C.AT_EMPTY_PATH | (recursive ? C.AT_RECURSIVE : 0);
        const result = attempt("mount_setattr", fd, cstring(""), at, words(C.MOUNT_ATTR_IDMAP, 0, 0, namespace), 32);
        close(namespace);
        must("mount_setattr", "mount_setattr", result);
      } catch (cause) {
        const what = `mounts[${index}]: map the ids of ${quote(source)}`;
        throw new Failure(what, { cause, hint: "can its file system be mounted with mapped ids?" });
      }
    });
    return made;
  } catch (error) {
    for (const name in made) close(made[name]);
    throw error;
  }
}
