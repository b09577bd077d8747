import type { Digest } from "./digest.js";
import type { Layer } from "./image.js";
import type { Task } from "./task.js";

/** A way to keep layers and to make root file systems out of them. */
export interface Store {
  /**
   * Makes a bundle's root file system of an image's layers.
   * @param layers from the lowest to the topmost
   */
  assemble(layers: readonly Layer[], place: Place, task: Task): Promise<void>;
  /**
   * Takes back what `assemble` did besides making files in the bundle's place, also where it was cut short. Throws
   * Failure where the root file system is in use; then nothing has changed.
   * @param own the bundle's own directory in the store
   * @param rootfs where the root file system may be
   * @param layers their chain IDs, from the lowest to the topmost
   */
  release(own: string, rootfs: readonly string[], layers: readonly Digest[]): void;
  /** Moves layers, whole ones and parts of them, that no bundle needs to the directory `trash`. */
  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void;
}

/** Where a bundle is. */
export interface Place {
  /** The bundle's own directory in the store. */
  own: string;
  /** Its root file system's directory; empty at first. */
  rootfs: string;
}
