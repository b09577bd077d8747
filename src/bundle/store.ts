import type { Digest } from "./digest.js";
import type { IdMaps } from "./id-maps.js";
import type { Layer } from "./image.js";
import type { Task } from "./task.js";

/** A way to keep layers and to make root file systems out of them. */
export interface Store {
  /** Throws Failure where this way does not work in the store's directory. */
  probe(): void;
  /**
   * Makes a bundle's root file system of an image's layers.
   * @param layers from the lowest to the topmost
   */
  assemble(layers: readonly Layer[], place: Place, task: Task): Promise<void>;
  /**
   * Mounts a bundle's root file system again, which is mounted nowhere. Throws Failure.
   * @param layers from the lowest to the topmost
   */
  mount(layers: readonly Digest[], place: Place): void;
  /** Where root file systems of a bundle are mounted, and have to be unmounted before they can be removed. */
  mountPoints(own: string): string[];
  /** Removes what in a bundle's own directory cannot be removed as files are. */
  discard(own: string): void;
  /** Moves layers that no bundle needs, and parts of layers that no process makes, to the directory `trash`. */
  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void;
  /** The layers that are kept. */
  layerIds(): readonly Digest[];
  /** Whether all that a bundle's own directory needs for its root file system is in it. */
  isComplete(own: string): boolean;
  /** What a layer takes on the disk beside what the one below it takes, in bytes. */
  layerSize(chainId: Digest, below: Digest | undefined): number;
  /** What a bundle's own directory takes on the disk beside its layers, in bytes. */
  ownSize(own: string, layers: readonly Digest[]): number;
}

/** Where a bundle is. */
export interface Place {
  /** The bundle's own directory in the store. */
  own: string;
  /** Its root file system's directory; empty at first. */
  rootfs: string;
  /** The ids that files' owners are to be seen by; undefined: as they are in the image. */
  ids: IdMaps | undefined;
}
