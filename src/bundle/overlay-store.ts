import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
} from "node:fs";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import type { Fd } from "../linux/file.js";
import { mountLines, parseMount } from "../linux/mount-info.js";
import { attempt } from "../linux/syscall.js";
import { applyLayer } from "./apply-layer.js";
import { attributesAt, setAttribute } from "./attributes.js";
import type { Digest } from "./digest.js";
import { diskUsage } from "./disk-usage.js";
import { type IdMaps, mountOf, outsideId } from "./id-maps.js";
import type { Layer } from "./image.js";
import { LayerDirectory, type LayerKeeping } from "./layer-directory.js";
import { setTime, timeOf } from "./metadata.js";
import { attach, inOption, mountOverlay, type Overlay } from "./overlay-mount.js";
import { removeTree } from "./remove-tree.js";
import type { Place, Store } from "./store.js";
import { syncFileSystem } from "./sync-file-system.js";
import type { Task } from "./task.js";

/** Attributes that overlay file systems keep for themselves. */
const OVERLAY_ATTRIBUTE = "trusted.overlay.";

/**
 * Options for writing a layer: nothing of it needs to survive a crash before it is complete, and it must be what any
 * mount of it later takes for itself, whatever the module's parameters are.
 */
const WRITING = ["volatile", "index=off", "metacopy=off", "redirect_dir=off"];

const KEEPING: LayerKeeping = {
  commit: (partial, path) => {
    syncFileSystem(partial);
    renameSync(`${partial}/upper`, path);
  },
  empty: (partial) => {
    for (const name of readdirSync(partial)) removeTree(Buffer.from(`${partial}/${name}`));
  },
  remove: (path, trash) => renameSync(path, `${trash}/${randomUUID()}`),
};

/**
 * The store that keeps each layer once, as a directory that overlay file systems of all bundles have below their own.
 * Layers are written through an overlay of those below them: so the kernel makes the whiteouts, the opaque directories
 * and the copies of what a layer links to or changes.
 */
export class OverlayStore implements Store {
  private readonly layers: LayerDirectory;

  /** @param directory where the layers are */
  constructor(directory: string) {
    this.layers = new LayerDirectory(directory, KEEPING);
  }

  probe(): void {
    this.layers.withPartial(randomUUID(), (partial) => closeSync(mountOverlay(newOverlay(partial, []))));
  }

  async assemble(layers: readonly Layer[], place: Place, task: Task): Promise<void> {
    const lower: string[] = [];
    for (const [i, layer] of layers.entries()) {
      task.begin(`unpacking layer ${i + 1} of ${layers.length}`, layer.size);
      await this.layers.provide(layer, task, (partial) => write(layer, partial, lower, task));
      lower.unshift(this.layers.pathOf(layer.chainId));
    }
    const overlay = newOverlay(place.own, lower);
    if (place.ids !== undefined) {
      const { uid, gid } = statSync(overlay.upper);
      chownSync(overlay.upper, outsideId(place.ids.uids, uid), outsideId(place.ids.gids, gid));
    }
    show(overlay, place);
  }

  mount(layers: readonly Digest[], place: Place): void {
    const lower = layers.map((chainId) => this.layers.pathOf(chainId)).reverse();
    show(overlayOf(place.own, lower), place);
  }

  mountPoints(own: string): string[] {
    return [...mountLines()]
      .filter((line) => line.includes(" overlay "))
      .map(parseMount)
      .filter(({ superOptions }) => superOptions.includes(`upperdir=${inOption(`${own}/upper`)}`))
      .map(({ mountPoint }) => mountPoint);
  }

  discard(own: string): void {
    unmountMapped(`${own}/${MAPPED}`);
  }

  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void {
    this.layers.prune(isNeeded, trash);
  }

  layerIds(): Digest[] {
    return this.layers.all;
  }

  isComplete(own: string): boolean {
    return ["upper", "work"].every((name) => existsSync(`${own}/${name}`));
  }

  layerSize(chainId: Digest): number {
    return diskUsage(this.layers.pathOf(chainId));
  }

  ownSize(own: string): number {
    return diskUsage(own);
  }
}

/** Shows an overlay in its bundle. With mapped ids its layers are; what the bundle writes has its own ids on disk. */
function show(overlay: Overlay, { own, rootfs, ids }: Place): void {
  const mount = ids === undefined ? mountOverlay(overlay) : mountMapped(overlay, ids, `${own}/${MAPPED}`);
  try {
    attach(mount, rootfs);
  } finally {
    closeSync(mount);
  }
}

/** Where a bundle's layers are mounted with mapped ids, for a moment: overlay keeps mounts of its own. */
const MAPPED = "mapped";

function mountMapped(overlay: Overlay, ids: IdMaps, directory: string): Fd {
  unmountMapped(directory);
  const lower = overlay.lower.map((layer, i) => {
    const place = `${directory}/${i}`;
    mkdirSync(place, { recursive: true });
    const mount = mountOf(layer, ids);
    try {
      attach(mount, place);
    } finally {
      closeSync(mount);
    }
    return place;
  });
  try {
    return mountOverlay({ ...overlay, lower });
  } finally {
    unmountMapped(directory);
  }
}

/** Ends such mounts, also those that a command which was killed has left. */
function unmountMapped(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    attempt("umount2", cstring(`${directory}/${name}`), C.MNT_DETACH | C.UMOUNT_NOFOLLOW);
    rmdirSync(`${directory}/${name}`);
  }
  rmdirSync(directory);
}

/** Writes a layer to the directory "upper" in `partial`. */
async function write(layer: Layer, partial: string, below: readonly string[], task: Task): Promise<void> {
  const root = mountOverlay({ ...newOverlay(partial, below), options: WRITING });
  try {
    await applyLayer(layer, root, task);
  } finally {
    closeSync(root);
  }
}

/** Makes the directories of a new overlay file system on layers, from the topmost to the lowest, if there are any. */
function newOverlay(directory: string, layers: readonly string[]): Overlay {
  const overlay = overlayOf(directory, layers);
  const { lower, upper, work } = overlay;
  for (const path of layers.length > 0 ? [upper, work] : [...lower, upper, work]) {
    mkdirSync(path);
    // It may be seen as the root of a file system.
    chmodSync(path, 0o755);
  }
  likeRoot(upper, lower[0]);
  return overlay;
}

/** An overlay file system on layers; an empty directory stands for them where there are none. */
const overlayOf = (directory: string, layers: readonly string[]): Overlay => ({
  lower: layers.length > 0 ? layers : [`${directory}/lower`],
  upper: `${directory}/upper`,
  work: `${directory}/work`,
  options: [],
});

/** Gives a directory what the root directory of the layers below has: an overlay shows its topmost layer's. */
function likeRoot(path: string, below: string): void {
  const status = statSync(below, { bigint: true });
  chownSync(path, Number(status.uid), Number(status.gid));
  chmodSync(path, Number(status.mode) & 0o7777);
  for (const [name, value] of attributesAt(Buffer.from(below)))
    if (!name.startsWith(OVERLAY_ATTRIBUTE)) setAttribute(Buffer.from(path), name, value);
  setTime(Buffer.from(path), timeOf(status));
}
