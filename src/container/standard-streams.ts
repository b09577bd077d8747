import type { Config, IDMapping } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { fstat } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";

/**
 * Gives the standard streams to the container's user, so that it can open /dev/stdout and the like again. Null devices
 * stay as they are, and what refuses is left: the streams themselves work all the same.
 */
export function giveStandardStreams({ process, linux }: Config): void {
  const uid = process?.user?.uid ?? 0;
  if (uid === 0 || process?.terminal) return;
  const owner = hostId(uid, linux?.uidMappings);
  if (owner === undefined) return;
  for (const stream of [0, 1, 2]) {
    const { mode, device, uid: current } = fstat(stream);
    const isNull = (mode & C.S_IFMT) === C.S_IFCHR && device.major === 1 && device.minor === 3;
    if (!isNull && current !== owner) attempt("fchown", stream, owner, -1);
  }
}

/** The host's id for a container's, or undefined where it has none. */
function hostId(id: number, mappings: readonly IDMapping[] = []): number | undefined {
  if (mappings.length === 0) return id;
  const mapping = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return mapping === undefined ? undefined : mapping.hostID + id - mapping.containerID;
}
