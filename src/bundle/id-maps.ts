import { closeSync } from "node:fs";
import type { IDMapping } from "../generated/config.js";
import { userNamespace } from "../launch/user-namespace.js";
import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";

/** What a bundle's user namespace maps ids by: those of users, and of groups. */
export interface IdMaps {
  readonly uids: readonly IDMapping[];
  readonly gids: readonly IDMapping[];
}

/** The host's id for a container's. Throws Failure where there is none. */
export function outsideId(mappings: readonly IDMapping[], id: number): number {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  if (found === undefined) throw new Failure(`id ${id}`, { cause: "it is not mapped" });
  return found.hostID + id - found.containerID;
}

/**
 * A directory's mount, at no place yet. With id maps it shows files' owners as a user namespace has them: root's are the
 * namespace's root's, on disk they stay what they are. mount_setattr(2). Throws Failure.
 */
export function mountOf(path: string, ids: IdMaps | undefined): Fd {
  const flags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC;
  const mount = must("open_tree", `mount ${quote(path)}`, attempt("open_tree", C.AT_FDCWD, cstring(path), flags));
  if (ids === undefined) return mount;
  try {
    const namespace = userNamespace(ids.uids, ids.gids);
    try {
      const attributes = words(C.MOUNT_ATTR_IDMAP, 0, 0, namespace);
      const result = attempt("mount_setattr", mount, cstring(""), C.AT_EMPTY_PATH, attributes, attributes.length);
      if (result < 0)
        throw new Failure(`map the ids of ${quote(path)}`, {
          cause: `${errnoText(-result)} (${errnoName(-result)})`,
          hint: "--userns needs a store on a file system that can be mounted with mapped ids",
        });
      return mount;
    } finally {
      closeSync(namespace);
    }
  } catch (error) {
    closeSync(mount);
    throw error;
  }
}
