import { chownSync, closeSync, existsSync, mkdirSync, openSync, renameSync } from "node:fs";
import { posix } from "node:path";
import { C } from "../linux/constants.js";
import { copyUp } from "../linux/copy-up.js";
import { ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { openat2, quote, using } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";
import type { Volume } from "./bundle-config.js";
import { type IdMaps, outsideId } from "./id-maps.js";
import { removeTree } from "./remove-tree.js";

/**
 * Makes a directory in the bundle for each of an image's volumes, with what the image has there: data of the program
 * that outlives the container and is no part of its root file system. Throws Failure.
 * @param ids what the container's root is, where it is not the host's
 */
export function makeVolumes(bundle: string, destinations: readonly string[], ids?: IdMaps): Volume[] {
  if (destinations.length > 0) mkdirSync(`${bundle}/volumes`, 0o700);
  return destinations.map((destination, i) => {
    const source = `volumes/${i}`;
    try {
      makeVolume(`${bundle}/rootfs`, destination, `${bundle}/${source}`, ids);
    } catch (cause) {
      throw new Failure(`volume ${quote(destination)}`, { cause });
    }
    return { destination: posix.join("/", destination), source };
  });
}

/**
 * The directory that keeps a volume under a name. Where there is none yet, it is made with what an image has there.
 * Returns its path. Throws Failure.
 * @param directory where the volumes are
 * @param partial the name there of one that is being made
 * @param exclusively runs what no other command may do at the same time
 */
export function provideVolume(
  directory: string,
  name: string,
  partial: string,
  image: { rootfs: string; destination: string; ids: IdMaps | undefined },
  exclusively: (act: () => void) => void,
): string {
  const path = `${directory}/${name}`;
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unnamed = `${directory}/${partial}`;
  try {
    makeVolume(image.rootfs, image.destination, unnamed, image.ids);
    // Another command may have been faster: a container may have its directory, even if that is empty.
    exclusively(() => {
      if (!existsSync(path)) renameSync(unnamed, path);
    });
  } catch (cause) {
    throw new Failure(`volume ${quote(name)}`, { cause });
  } finally {
    removeTree(Buffer.from(unnamed));
  }
  return path;
}

function makeVolume(rootfs: string, destination: string, path: string, ids: IdMaps | undefined): void {
  if (posix.join("/", destination) === "/") throw new Failure("it would hide the root file system");
  mkdirSync(path, 0o755);
  if (ids !== undefined) chownSync(path, outsideId(ids.uids, 0), outsideId(ids.gids, 0));
  const target = openSync(path, C.O_RDONLY | C.O_DIRECTORY);
  const root = openSync(rootfs, C.O_PATH | C.O_DIRECTORY);
  try {
    using(openat2(root, destination, C.O_PATH | C.O_DIRECTORY, C.RESOLVE_IN_ROOT), (source) => copyUp(source, target));
  } catch (error) {
    // The image has nothing there.
    if (!(error instanceof SyscallError) || error.errno !== ENOENT) throw error;
  } finally {
    closeSync(root);
    closeSync(target);
  }
}
