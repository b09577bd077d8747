import { randomUUID } from "node:crypto";
import { chmodSync, closeSync, openSync, readdirSync, renameSync } from "node:fs";
import { C } from "../linux/constants.js";
import { applyLayer } from "./apply-layer.js";
import type { Digest } from "./digest.js";
import { diskUsage } from "./disk-usage.js";
import { mountOf } from "./id-maps.js";
import type { Layer } from "./image.js";
import { LayerDirectory, type LayerKeeping } from "./layer-directory.js";
import { mountPointsOf } from "./mount-points-of.js";
import { attach } from "./overlay-mount.js";
import { removeTree } from "./remove-tree.js";
import type { Place, Store } from "./store.js";
import { isSubvolume, makeSnapshot, makeSubvolume, removeSubvolume } from "./subvolume.js";
import type { Task } from "./task.js";

/** The subvolume of a layer that is being written. */
const WRITTEN = "layer";

/** A bundle's subvolume in its own directory. */
const ROOTFS = "rootfs";

const KEEPING: LayerKeeping = {
  commit: (partial, path) => makeSnapshot(`${partial}/${WRITTEN}`, path, "read-only"),
  empty,
  remove: (path, trash) => {
    if (isSubvolume(path)) return removeSubvolume(path);
    empty(path);
    renameSync(path, `${trash}/${randomUUID()}`);
  },
};

function empty(directory: string): void {
  for (const name of readdirSync(directory)) removeAny(`${directory}/${name}`);
}

/** Removes a subvolume, or what else is there. */
function removeAny(path: string): void {
  try {
    if (isSubvolume(path)) removeSubvolume(path);
  } catch {
    // A container may have made subvolumes of its own in it: these are removed as directories are.
  }
  removeTree(Buffer.from(path));
}

/**
 * The store that keeps each layer as a read-only subvolume of a btrfs file system: a snapshot of the one below with the
 * layer's changes. A bundle's root file system is a writable snapshot of the last, mounted in the bundle; all share the
 * blocks that none has changed. Subvolumes are made by ioctl(2), in one step each that no crash can halve, and without
 * btrfs-progs.
 */
export class BtrfsStore implements Store {
  private readonly layers: LayerDirectory;

  /** @param directory where the layers are */
  constructor(directory: string) {
    this.layers = new LayerDirectory(directory, KEEPING);
  }

  probe(): void {
    this.layers.withPartial(randomUUID(), (partial) => makeSubvolume(`${partial}/${WRITTEN}`));
  }

  async assemble(layers: readonly Layer[], place: Place, task: Task): Promise<void> {
    let below: string | undefined;
    for (const [i, layer] of layers.entries()) {
      task.begin(`unpacking layer ${i + 1} of ${layers.length}`, layer.size);
      await this.layers.provide(layer, task, (partial) => write(layer, `${partial}/${WRITTEN}`, below, task));
      below = this.layers.pathOf(layer.chainId);
    }
    begin(`${place.own}/${ROOTFS}`, below);
    show(place);
  }

  mount(_layers: readonly Digest[], place: Place): void {
    show(place);
  }

  mountPoints(own: string): string[] {
    return mountPointsOf(`${own}/${ROOTFS}`);
  }

  discard(own: string): void {
    removeAny(`${own}/${ROOTFS}`);
  }

  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void {
    this.layers.prune(isNeeded, trash);
  }

  layerIds(): Digest[] {
    return this.layers.all;
  }

  isComplete(own: string): boolean {
    return isSubvolume(`${own}/${ROOTFS}`);
  }

  layerSize(chainId: Digest, below: Digest | undefined): number {
    return diskUsage(this.layers.pathOf(chainId), below === undefined ? undefined : this.layers.pathOf(below));
  }

  ownSize(own: string, layers: readonly Digest[]): number {
    const last = layers.at(-1);
    return diskUsage(own) + diskUsage(`${own}/${ROOTFS}`, last === undefined ? undefined : this.layers.pathOf(last));
  }
}

/** Writes a layer to a new subvolume on the one below it, if there is one. */
async function write(layer: Layer, path: string, below: string | undefined, task: Task): Promise<void> {
  begin(path, below);
  const root = openSync(path, C.O_RDONLY | C.O_DIRECTORY);
  try {
    await applyLayer(layer, root, task);
  } finally {
    closeSync(root);
  }
}

/** Makes a writable subvolume that begins as the layer below, or empty. */
function begin(path: string, below: string | undefined): void {
  if (below !== undefined) makeSnapshot(below, path, "writable");
  else {
    makeSubvolume(path);
    chmodSync(path, 0o755);
  }
}

/** Mounts a bundle's subvolume in the bundle. */
function show({ own, rootfs, ids }: Place): void {
  const mount = mountOf(`${own}/${ROOTFS}`, ids);
  try {
    attach(mount, rootfs);
  } finally {
    closeSync(mount);
  }
}
