import { closeSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { type Fd, quote } from "../linux/file.js";
import type { Digest } from "./digest.js";
import type { Layer } from "./image.js";
import { claim, claimNew } from "./lock.js";
import { removeTree } from "./remove-tree.js";
import type { Task } from "./task.js";

/** A layer on its way has this after its name. */
const PARTIAL = ".partial";

/** How often a layer that another process unpacks is looked at, in milliseconds. */
const WAIT = 50;

/** How a store's layers are made and removed. */
export interface LayerKeeping {
  /**
   * Puts the layer that a directory for things on their way holds in its place: all of it at once, and so that it is
   * whole even where the machine's power fails next.
   */
  commit(partial: string, path: string): void;
  /** Removes all in a directory for things on their way. */
  empty(partial: string): void;
  /** Removes a layer, or a directory for things on their way, or puts it into `trash`: all of it at once. */
  remove(path: string, trash: string): void;
}

/**
 * A directory of layers by their chain IDs. A layer is there as a whole or not at all: it is made in a directory beside
 * its place, which is locked by the process that makes it.
 */
export class LayerDirectory {
  /** Makes the directory if there is none. */
  constructor(
    readonly path: string,
    private readonly keeping: LayerKeeping,
  ) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  pathOf(chainId: Digest): string {
    return `${this.path}/${chainId.replace(":", "-")}`;
  }

  /** Runs `use` with a directory for things on their way that no layer has. */
  withPartial<T>(name: string, use: (partial: string) => T): T {
    const partial = `${this.path}/${name}${PARTIAL}`;
    let fd: Fd | undefined;
    // Another command may take it, before it is locked, for something that was left, and remove it.
    while (fd === undefined) fd = claimNew(partial);
    try {
      return use(partial);
    } finally {
      this.discard(partial);
      closeSync(fd);
    }
  }

  /**
   * Provides a layer: makes it by `write`, unless it is there. Of several processes one does and the others wait.
   * @param write makes the layer in the empty directory that it is given, for the keeping's `commit`
   */
  async provide(layer: Layer, task: Task, write: (partial: string) => Promise<void>): Promise<void> {
    const path = this.pathOf(layer.chainId);
    const partial = `${path}${PARTIAL}`;
    for (; !existsSync(path); await task.advance(0)) {
      const fd = claimNew(partial);
      if (fd === undefined) {
        await setTimeout(WAIT);
        continue;
      }
      try {
        if (existsSync(path)) continue;
        // A process that was killed may have left something.
        this.keeping.empty(partial);
        await write(partial);
        this.keeping.commit(partial, path);
      } finally {
        this.discard(partial);
        closeSync(fd);
      }
    }
    task.debug(`${layer.title} is in ${quote(path)}`);
  }

  /** The layers that are there, as wholes. */
  get all(): Digest[] {
    return readdirSync(this.path)
      .filter((name) => !name.endsWith(PARTIAL))
      .map((name) => name.replace("-", ":"));
  }

  /** Removes layers that are not needed, and what is on its way without a process that has it locked. */
  prune(isNeeded: (chainId: Digest) => boolean, trash: string): void {
    for (const name of readdirSync(this.path)) {
      if (!name.endsWith(PARTIAL) && isNeeded(name.replace("-", ":"))) continue;
      const path = `${this.path}/${name}`;
      const fd = claim(path);
      if (fd === undefined) continue;
      try {
        this.keeping.remove(path, trash);
      } finally {
        closeSync(fd);
      }
    }
  }

  private discard(partial: string): void {
    this.keeping.empty(partial);
    removeTree(Buffer.from(partial));
  }
}
