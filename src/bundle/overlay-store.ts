import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { quote } from "../linux/file.js";
import { mountLines, parseMount } from "../linux/mount-info.js";
import { applyLayer } from "./apply-layer.js";
import { attributesAt, setAttribute } from "./attributes.js";
import type { Digest } from "./digest.js";
import type { Layer } from "./image.js";
import { claim, claimNew } from "./lock.js";
import { setTime, timeOf } from "./metadata.js";
import { attach, inOption, mountOverlay, type Overlay } from "./overlay-mount.js";
import { removeTree } from "./remove-tree.js";
import type { Place, Store } from "./store.js";
import type { Task } from "./task.js";

/** A layer on its way has this after its name. */
const PARTIAL = ".partial";

/** Attributes that overlay file systems keep for themselves. */
const OVERLAY_ATTRIBUTE = "trusted.overlay.";

/** How often a layer that another process unpacks is looked at, in milliseconds. */
const WAIT = 50;

/**
 * Options for writing a layer: nothing of it needs to survive a crash before it is complete, and it must be what any
 * mount of it later takes for itself, whatever the module's parameters are.
 */
const WRITING = ["volatile", "index=off", "metacopy=off", "redirect_dir=off"];

/**
 * The store that keeps each layer once, as a directory that overlay file systems of all bundles have below their own.
 * Layers are written through an overlay of those below them: so the kernel makes the whiteouts, the opaque directories
 * and the copies of what a layer links to or changes.
 */
export class OverlayStore implements Store {
  /** @param directory where the layers are */
  constructor(private readonly directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Throws Failure where overlay file systems cannot be mounted on the store's file system. */
  probe(): void {
    const place = `${this.directory}/${randomUUID()}${PARTIAL}`;
    const fd = claimNew(place);
    try {
      closeSync(mountOverlay(newOverlay(place, [])));
    } finally {
      removeTree(Buffer.from(place));
      if (fd !== undefined) closeSync(fd);
    }
  }

  async assemble(layers: readonly Layer[], { own, rootfs }: Place, task: Task): Promise<void> {
    const lower: string[] = [];
    for (const [i, layer] of layers.entries()) {
      const path = this.pathOf(layer.chainId);
      task.begin(`unpacking layer ${i + 1} of ${layers.length}`, layer.size);
      await this.unpack(layer, path, lower, task);
      lower.unshift(path);
    }
    const mount = mountOverlay(newOverlay(own, lower));
    try {
      attach(mount, rootfs);
    } finally {
      closeSync(mount);
    }
  }

  mountPoints(own: string): string[] {
    return [...mountLines()]
      .filter((line) => line.includes(" overlay "))
      .map(parseMount)
      .filter(({ superOptions }) => superOptions.includes(`upperdir=${inOption(`${own}/upper`)}`))
      .map(({ mountPoint }) => mountPoint);
  }

  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void {
    for (const name of readdirSync(this.directory)) {
      const chainId = name.replace(PARTIAL, "").replace("-", ":");
      if (isNeeded(chainId)) continue;
      const fd = claim(`${this.directory}/${name}`);
      if (fd === undefined) continue;
      renameSync(`${this.directory}/${name}`, `${trash}/${randomUUID()}`);
      closeSync(fd);
    }
  }

  private pathOf(chainId: Digest): string {
    return `${this.directory}/${chainId.replace(":", "-")}`;
  }

  /** Makes a layer's directory, unless it is there. Of several processes one unpacks the layer and the others wait. */
  private async unpack(layer: Layer, path: string, lower: readonly string[], task: Task): Promise<void> {
    const partial = `${path}${PARTIAL}`;
    for (; !existsSync(path); await task.advance(0)) {
      const fd = claimNew(partial);
      if (fd === undefined) {
        await setTimeout(WAIT);
        continue;
      }
      try {
        if (existsSync(path)) continue;
        await write(layer, partial, lower, task);
        renameSync(`${partial}/upper`, path);
      } finally {
        removeTree(Buffer.from(partial));
        closeSync(fd);
      }
    }
    task.debug(`${layer.title} is in ${quote(path)}`);
  }
}

/** Writes a layer to the directory "upper" in `partial`. */
async function write(layer: Layer, partial: string, below: readonly string[], task: Task): Promise<void> {
  // A process that was killed may have left something.
  for (const name of readdirSync(partial)) removeTree(Buffer.from(`${partial}/${name}`));
  const root = mountOverlay({ ...newOverlay(partial, below), options: WRITING });
  try {
    await applyLayer(layer, root, task);
  } finally {
    closeSync(root);
  }
}

/** Makes the directories of a new overlay file system on layers, from the topmost to the lowest, if there are any. */
function newOverlay(directory: string, layers: readonly string[]): Overlay {
  const [none, upper, work] = ["lower", "upper", "work"].map((name) => `${directory}/${name}`);
  for (const path of [none, upper, work]) {
    mkdirSync(path);
    // It may be seen as the root of a file system.
    chmodSync(path, 0o755);
  }
  const lower = layers.length > 0 ? layers : [none];
  likeRoot(upper, lower[0]);
  return { lower, upper, work, options: [] };
}

/** Gives a directory what the root directory of the layers below has: an overlay shows its topmost layer's. */
function likeRoot(path: string, below: string): void {
  const status = statSync(below, { bigint: true });
  chownSync(path, Number(status.uid), Number(status.gid));
  chmodSync(path, Number(status.mode) & 0o7777);
  for (const [name, value] of attributesAt(Buffer.from(below)))
    if (!name.startsWith(OVERLAY_ATTRIBUTE)) setAttribute(Buffer.from(path), name, value);
  setTime(Buffer.from(path), timeOf(status));
}
