import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EBUSY, EINVAL, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { sleep } from "../linux/sleep.js";
import { attempt, must } from "../linux/syscall.js";
import { applyLayer } from "./apply-layer.js";
import { attributesAt, setAttribute } from "./attributes.js";
import type { Digest } from "./digest.js";
import type { Layer } from "./image.js";
import { claim, claimNew } from "./lock.js";
import { setTime, timeOf } from "./metadata.js";
import { attach, mountOverlay, type Overlay, OverlayError } from "./overlay-mount.js";
import { removeTree } from "./remove-tree.js";
import type { Place, Store } from "./store.js";
import type { Task } from "./task.js";

/** A layer on its way has this after its name. */
const PARTIAL = ".partial";

/** Attributes that overlay file systems keep for themselves. */
const OVERLAY_ATTRIBUTE = "trusted.overlay.";

/** How often that is looked at which is waited for, in milliseconds. */
const WAIT = 50;

/** How long the kernel may take to clear away the mounts of a container that has ended, in milliseconds. */
const PATIENCE = 1000;

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
      closeSync(mountOverlay(emptyOverlay(place)));
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
    const overlay = this.overlayOf(
      own,
      layers.map(({ chainId }) => chainId),
    );
    for (const directory of [overlay.upper, overlay.work, ...(layers.length === 0 ? overlay.lower : [])])
      make(directory);
    likeRoot(overlay.upper, overlay.lower[0]);
    attachNew(overlay, rootfs);
  }

  release(own: string, rootfs: readonly string[], layers: readonly Digest[]): void {
    const overlay = this.overlayOf(own, layers);
    if (!existsSync(overlay.upper)) return;
    const mounted = rootfs.filter(unmount);
    if (!staysInUse(overlay)) return;
    for (const path of mounted) attachNew(overlay, path);
    throw new Failure("the root file system is in use", { cause: "it is mounted elsewhere, by a container perhaps" });
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

  /** A bundle's overlay file system. An image without layers has an empty directory for one. */
  private overlayOf(own: string, layers: readonly Digest[]): Overlay {
    const lower = layers.map((chainId) => this.pathOf(chainId)).reverse();
    return {
      lower: lower.length > 0 ? lower : [`${own}/lower`],
      upper: `${own}/upper`,
      work: `${own}/work`,
      options: [],
    };
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
  const overlay = { ...emptyOverlay(partial), options: WRITING };
  if (below.length > 0) overlay.lower = below;
  likeRoot(overlay.upper, overlay.lower[0]);
  const root = mountOverlay(overlay);
  try {
    await applyLayer(layer, root, task);
  } finally {
    closeSync(root);
  }
}

/** Makes the directories of an overlay file system with nothing in it. */
function emptyOverlay(directory: string): Overlay {
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => `${directory}/${name}`);
  for (const path of [lower, upper, work]) make(path);
  return { lower: [lower], upper, work, options: [] };
}

/** Makes a directory that may be seen as the root of a file system. */
function make(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o755);
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

/** Unmounts what is mounted at a path. Returns whether there was something. Throws Failure where it is in use. */
function unmount(path: string): boolean {
  const result = attempt("umount2", cstring(path), C.UMOUNT_NOFOLLOW);
  if (result === -ENOENT || result === -EINVAL) return false;
  if (result === -EBUSY) throw new Failure(quote(path), { cause: "it is in use" });
  must("umount2", `unmount ${quote(path)}`, result);
  return true;
}

function attachNew(overlay: Overlay, path: string): void {
  const mount = mountOverlay(overlay);
  try {
    attach(mount, path);
  } finally {
    closeSync(mount);
  }
}

/** Whether an overlay that is not mounted here is in another mount namespace, a container's, and stays there. */
function staysInUse(overlay: Overlay): boolean {
  const deadline = Date.now() + PATIENCE;
  while (isInUse(overlay)) {
    if (Date.now() > deadline) return true;
    sleep(WAIT);
  }
  return false;
}

function isInUse(overlay: Overlay): boolean {
  try {
    // With an index the kernel insists on being the only user.
    closeSync(mountOverlay({ ...overlay, options: ["index=on"] }));
    return false;
  } catch (error) {
    if (error instanceof OverlayError && error.errno === EBUSY) return true;
    throw error;
  }
}
