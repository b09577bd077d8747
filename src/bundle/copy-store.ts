import { closeSync, openSync } from "node:fs";
import { C } from "../linux/constants.js";
import { applyLayer } from "./apply-layer.js";
import { diskUsage } from "./disk-usage.js";
import type { Layer } from "./image.js";
import type { Place, Store } from "./store.js";
import type { Task } from "./task.js";

/** The store that works everywhere: each bundle's root file system is a directory of its own with all layers applied. */
export class CopyStore implements Store {
  probe(): void {
    // It needs nothing.
  }

  async assemble(layers: readonly Layer[], { rootfs }: Place, task: Task): Promise<void> {
    const root = openSync(rootfs, C.O_RDONLY | C.O_DIRECTORY);
    try {
      for (const [i, layer] of layers.entries()) {
        task.begin(`unpacking layer ${i + 1} of ${layers.length}`, layer.size);
        await applyLayer(layer, root, task);
      }
    } finally {
      closeSync(root);
    }
  }

  mount(): void {
    // It is in the bundle itself.
  }

  mountPoints(): string[] {
    return [];
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
