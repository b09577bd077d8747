import { closeSync, mkdirSync, openSync } from "node:fs";
import { C } from "../linux/constants.js";
import { applyLayer } from "./apply-layer.js";
import type { Digest } from "./digest.js";
import { diskUsage } from "./disk-usage.js";
import { mountOf } from "./id-maps.js";
import type { Layer } from "./image.js";
import { mountPointsOf } from "./mount-points-of.js";
import { attach } from "./overlay-mount.js";
import type { Place, Store } from "./store.js";
import type { Task } from "./task.js";

/** A bundle's root file system in its own directory of the store, where it is mounted in the bundle with mapped ids. */
const ROOTFS = "rootfs";

/** The store that works everywhere: each bundle's root file system is a directory of its own with all layers applied. */
export class CopyStore implements Store {
  probe(): void {
    // It needs nothing.
  }

  async assemble(layers: readonly Layer[], place: Place, task: Task): Promise<void> {
    const path = place.ids === undefined ? place.rootfs : `${place.own}/${ROOTFS}`;
    if (place.ids !== undefined) mkdirSync(path, 0o755);
    const root = openSync(path, C.O_RDONLY | C.O_DIRECTORY);
    try {
      for (const [i, layer] of layers.entries()) {
        task.begin(`unpacking layer ${i + 1} of ${layers.length}`, layer.size);
        await applyLayer(layer, root, task);
      }
    } finally {
      closeSync(root);
    }
    this.mount(
      layers.map(({ chainId }) => chainId),
      place,
    );
  }

  mount(_layers: readonly Digest[], { own, rootfs, ids }: Place): void {
    // Without mapped ids it is in the bundle itself.
    if (ids === undefined) return;
    const mount = mountOf(`${own}/${ROOTFS}`, ids);
    try {
      attach(mount, rootfs);
    } finally {
      closeSync(mount);
    }
  }

  mountPoints(own: string): string[] {
    return mountPointsOf(`${own}/${ROOTFS}`);
  }

  discard(): void {
    // Nothing is in the store.
  }

  prune(): void {
    // No layers are kept.
  }

  layerIds(): [] {
    return [];
  }

  isComplete(): boolean {
    // The root file system is the bundle's.
    return true;
  }

  layerSize(): number {
    return 0;
  }

  ownSize(own: string): number {
    return diskUsage(own);
  }
}
