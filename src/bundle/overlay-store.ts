import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EBUSY, EINVAL, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
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
      const [lower, upper, work] = ["lower", "upper", "work"].map((name) => makeIn(place, name));
      closeSync(mountOverlay({ lower: [lower], upper, work, options: [] }));
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
    if (lower.length === 0) lower.push(makeIn(own, "lower"));
    const overlay = { lower, upper: makeIn(own, "upper"), work: makeIn(own, "work"), options: [] };
    likeRoot(overlay.upper, lower[0]);
    attachNew(overlay, rootfs);
  }

  release({ own, rootfs }: Place, layers: readonly Digest[]): void {
    const result = attempt("umount2", cstring(rootfs), C.UMOUNT_NOFOLLOW);
    if (result === -ENOENT || result === -EINVAL) return;
    if (result === -EBUSY) throw new Failure(quote(rootfs), { cause: "it is in use" });
    must("umount2", `unmount ${quote(rootfs)}`, result);
    const lower = layers.map((chainId) => this.pathOf(chainId)).reverse();
    if (lower.length === 0) lower.push(`${own}/lower`);
    const overlay = { lower, upper: `${own}/upper`, work: `${own}/work`, options: [] };
    if (!isInUse(overlay)) return;
    attachNew(overlay, rootfs);
    throw new Failure(quote(rootfs), { cause: "it is in use by a container" });
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
  const lower = below.length > 0 ? below : [makeIn(partial, "lower")];
  const overlay = { lower, upper: makeIn(partial, "upper"), work: makeIn(partial, "work"), options: WRITING };
  likeRoot(overlay.upper, lower[0]);
  const root = mountOverlay(overlay);
  try {
    await applyLayer(layer, root, task);
  } finally {
    closeSync(root);
  }
}

/** Makes a directory that may be seen as the root of a file system. */
function makeIn(directory: string, name: string): string {
  const path = `${directory}/${name}`;
  mkdirSync(path);
  chmodSync(path, 0o755);
  return path;
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

function attachNew(overlay: Overlay, path: string): void {
  const mount = mountOverlay(overlay);
  try {
    attach(mount, path);
  } finally {
    closeSync(mount);
  }
}

/** Whether an overlay that is not mounted here is in another mount namespace, a container's. */
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
