import { randomUUID } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";
import { BtrfsStore } from "./btrfs-store.js";
import {
  type BundleRecord,
  identityOf,
  isComplete,
  loadRecord,
  STORE_KINDS,
  type StoreKind,
  saveRecord,
  setComplete,
} from "./bundle-record.js";
import { CopyStore } from "./copy-store.js";
import type { Digest } from "./digest.js";
import { claim, claimNew, lock } from "./lock.js";
import { OverlayStore } from "./overlay-store.js";
import { processesRootedIn } from "./processes-rooted-in.js";
import { removeTree } from "./remove-tree.js";
import type { Store } from "./store.js";

/** A bundle as the store has it. */
export interface StoredBundle {
  /** Its own directory in the store. */
  own: string;
  record: BundleRecord;
}

/** A bundle that this process works on. */
export interface LockedBundle extends StoredBundle {
  fd: Fd;
}

/** What a store holds at one moment. */
export interface StoreContents {
  /** Bundles, and what is there of some: `isAtWork` where a process that runs makes or removes it. */
  bundles: readonly { own: string; record: BundleRecord | undefined; isAtWork: boolean }[];
  layers: readonly { kind: StoreKind; id: Digest }[];
}

/** Data that is kept under a name, in a directory, with the paths of the bundles that use it. */
export interface NamedVolume {
  name: string;
  path: string;
  bundles: readonly string[];
}

/**
 * The directory that holds everything kept for bundles:
 *
 *     bundles/<id>/   a bundle's record and what only it needs; locked by the process that makes or removes it
 *     overlay/        layers, each locked as long as it is being unpacked
 *     btrfs/          the same as subvolumes
 *     volumes/        directories of data, by name; with a dot those that are being made for a bundle, or removed
 *     trash/          what is being removed
 *     lock            locked for moments, for looking at several of these at once
 *
 * Whatever is locked belongs to a process that runs. The rest, where it is not complete, was left by one that was killed.
 */
export class StoreDirectory {
  private readonly stores: Readonly<Record<StoreKind, Store>>;

  /** Makes the directory if there is none, and clears away what commands that were killed left. */
  constructor(
    readonly path: string,
    private readonly warn: (message: string) => void,
  ) {
    for (const name of ["bundles", "trash"]) mkdirSync(`${path}/${name}`, { recursive: true, mode: 0o700 });
    this.stores = {
      overlay: new OverlayStore(`${path}/overlay`),
      btrfs: new BtrfsStore(`${path}/btrfs`),
      copy: new CopyStore(),
    };
    this.repair();
  }

  /**
   * The kind of store to use: the one that is asked for, else the best that works here. Throws Failure where what is
   * asked for does not work; `tell` is told where that is why another is chosen.
   */
  choose(asked: StoreKind | undefined, tell: (message: string) => void): StoreKind {
    const reasons: string[] = [];
    for (const kind of asked === undefined ? STORE_KINDS : [asked]) {
      try {
        this.stores[kind].probe();
        if (kind === "copy" && asked === undefined) tell(`the root file system is a full copy: ${reasons[0]}`);
        return kind;
      } catch (error) {
        if (asked !== undefined) throw error;
        reasons.push((error as Error).message);
      }
    }
    throw new Failure(reasons.join("; "));
  }

  /** The bundles that are complete, by their paths. */
  bundles(): StoredBundle[] {
    return this.all()
      .flatMap(({ own, record }) => (record !== undefined && isComplete(own) ? [{ own, record }] : []))
      .sort((a, b) => (a.record.path < b.record.path ? -1 : 1));
  }

  /** Looks at all there is, when what no bundle needs has been removed, while no other command changes it. */
  lookAt<T>(look: (contents: StoreContents) => T): T {
    return this.exclusively(() => {
      this.pruneLayers();
      return look({
        bundles: this.all().map(({ own, record }) => ({ own, record, isAtWork: !isComplete(own) && isClaimed(own) })),
        layers: STORE_KINDS.flatMap((kind) => this.stores[kind].layerIds().map((id) => ({ kind, id }))),
      });
    });
  }

  /** Forgets complete bundles whose directories are gone and mounted nowhere. Returns where they were. */
  forgetGone(): string[] {
    const gone = this.bundles().filter(
      ({ own, record }) =>
        identityOf(record.path) !== record.identity && this.store(record.store).mountPoints(own).length === 0,
    );
    return gone.filter((bundle) => this.tryRemove(bundle)).map(({ record }) => record.path);
  }

  /** The directory of volumes that have names; bundles' ends are none of theirs. */
  get volumes(): string {
    return `${this.path}/volumes`;
  }

  /** What a volume is called there while it is being made for a bundle. */
  partOf({ own }: LockedBundle): string {
    return `.${basename(own)}`;
  }

  /** The volumes that have names, by these. */
  namedVolumes(): NamedVolume[] {
    const records = this.all().flatMap(({ record }) => record ?? []);
    return this.volumeEntries()
      .filter((name) => !name.startsWith("."))
      .sort()
      .map((name) => ({
        name,
        path: `${this.volumes}/${name}`,
        bundles: records.flatMap((record) => (usesVolume(record, name) ? [record.path] : [])).sort(),
      }));
  }

  /** Removes a volume by its name, with its data. Throws Failure where there is none, or a bundle uses it. */
  removeVolume(name: string): void {
    this.exclusively(() => {
      const volume = this.namedVolumes().find((each) => each.name === name);
      const refuse = (cause: string, hint: string) => new Failure(`volume ${quote(name)}`, { cause, hint });
      if (volume === undefined) throw refuse("there is none of that name", "`fdbundle volume ls` lists them");
      const [user] = volume.bundles;
      if (user !== undefined) throw refuse(`bundle ${quote(user)} uses it`, "`fdbundle rm` removes a bundle");
      renameSync(volume.path, `${this.volumes}/.${randomUUID()}`);
    });
    this.prune();
  }

  /** A directory for files that have no name for longer than a moment. */
  get spool(): string {
    return this.trash;
  }

  store(kind: StoreKind): Store {
    return this.stores[kind];
  }

  /** Begins a bundle. Whoever gets it calls `complete` or `discard`. */
  begin(record: BundleRecord): LockedBundle {
    return this.exclusively(() => {
      const own = `${this.path}/bundles/${randomUUID()}`;
      const fd = claimNew(own);
      if (fd === undefined) throw new Failure(quote(own), { cause: "it is gone at once" });
      saveRecord(own, record);
      return { own, record, fd };
    });
  }

  /** Changes a bundle's record. Layers that it names are kept from then on. */
  update(bundle: LockedBundle, change: Partial<BundleRecord>): void {
    bundle.record = { ...bundle.record, ...change };
    this.exclusively(() => saveRecord(bundle.own, bundle.record));
  }

  /** Completes a bundle that is where it shall be. */
  complete(bundle: LockedBundle): void {
    this.exclusively(() => setComplete(bundle.own, true));
    closeSync(bundle.fd);
  }

  /**
   * Removes a complete bundle. Throws Failure where it is being removed already, or it is in use and that is not forced.
   */
  remove(bundle: StoredBundle, isForced: boolean): void {
    if (!isForced) this.refuseInUse(bundle.own, bundle.record);
    if (!this.tryRemove(bundle))
      throw new Failure(quote(bundle.record.path), { cause: "another command is at work on it" });
  }

  /** Removes a complete bundle. Returns false where it is being removed already. */
  private tryRemove({ own, record }: StoredBundle): boolean {
    const fd = claim(own);
    if (fd === undefined) return false;
    this.exclusively(() => setComplete(own, false));
    // From here on it is not taken for one that only lacks the note that it is complete.
    if (isInPlace(record)) rmSync(`${record.path}/config.json`, { force: true });
    this.discard({ own, record, fd });
    return true;
  }

  /**
   * Mounts a complete bundle's root file system, unless it is mounted there: after a restart of the machine, say. Where it
   * has been moved to is noted. One that is being removed meanwhile is left alone.
   */
  mount({ own, record }: StoredBundle): void {
    const rootfs = `${record.path}/rootfs`;
    this.exclusively(() => {
      if (!isComplete(own)) return;
      const store = this.store(record.store);
      if (loadRecord(own)?.path !== record.path) saveRecord(own, record);
      if (!store.mountPoints(own).includes(rootfs)) store.mount(record.layers, { own, rootfs, ids: record.ids });
    });
  }

  /** Unmounts a complete bundle's root file system. Throws Failure where it is in use and that is not forced. */
  unmount({ own, record }: StoredBundle, isForced: boolean): void {
    if (!isForced) this.refuseInUse(own, record);
    this.unmountAll(own, record);
  }

  /** Removes all there is of a bundle, complete or not, and layers that were only for it. */
  discard(bundle: LockedBundle): void {
    this.removeAll(bundle);
    this.prune();
  }

  private get trash(): string {
    return `${this.path}/trash`;
  }

  private repair(): void {
    const left = this.exclusively(() =>
      this.all().flatMap(({ own, record }) => {
        const fd = isComplete(own) ? undefined : claim(own);
        return fd === undefined ? [] : [{ own, record, fd }];
      }),
    );
    for (const { own, record, fd } of left) {
      // Killed at the very last step.
      if (record !== undefined && isInPlace(record) && existsSync(`${record.path}/config.json`)) {
        setComplete(own, true);
        closeSync(fd);
        continue;
      }
      try {
        this.removeAll({ own, record, fd });
      } catch (error) {
        // It stays for the next command, and hinders nothing.
        this.warn(`what is left of a bundle in ${quote(own)} is not removed: ${(error as Error).message}`);
      }
    }
    this.prune();
  }

  private removeAll({ own, record, fd }: { own: string; record: BundleRecord | undefined; fd: Fd }): void {
    try {
      if (record !== undefined) {
        this.unmountAll(own, record);
        for (const path of isInPlace(record) ? [record.temporary, record.path] : [record.temporary])
          removeTree(Buffer.from(path));
        this.store(record.store).discard(own);
      }
      removeTree(Buffer.from(own));
    } finally {
      closeSync(fd);
    }
  }

  /** Unmounts a bundle's root file system, wherever it is; another command may be doing the same. */
  private unmountAll(own: string, { store }: BundleRecord): void {
    const points = () => this.store(store).mountPoints(own);
    for (const path of points()) {
      // At once, even where somebody's working directory is in it.
      const result = attempt("umount2", cstring(path), C.MNT_DETACH | C.UMOUNT_NOFOLLOW);
      if (result < 0 && points().includes(path)) must("umount2", `unmount ${quote(path)}`, result);
    }
  }

  private refuseInUse(own: string, record: BundleRecord): void {
    const rootfs = `${record.path}/rootfs`;
    const [user] = processesRootedIn(rootfs);
    const moved = this.store(record.store)
      .mountPoints(own)
      .find((path) => path !== rootfs);
    if (user === undefined && moved === undefined) return;
    const cause = user === undefined ? `it is mounted on ${quote(moved as string)}` : `process ${user} runs in it`;
    throw new Failure(quote(record.path), { cause, hint: "--force removes it even so" });
  }

  private prune(): void {
    this.exclusively(() => this.pruneLayers());
    for (const name of readdirSync(this.trash)) removeTree(Buffer.from(`${this.trash}/${name}`));
    for (const name of this.volumeEntries())
      if (name.startsWith(".") && !existsSync(`${this.path}/bundles/${name.slice(1)}`))
        removeTree(Buffer.from(`${this.volumes}/${name}`));
  }

  private volumeEntries(): string[] {
    return existsSync(this.volumes) ? readdirSync(this.volumes) : [];
  }

  private pruneLayers(): void {
    const records = this.all().flatMap(({ record }) => record ?? []);
    for (const kind of STORE_KINDS) {
      const needed = new Set(records.flatMap((record) => (record.store === kind ? record.layers : [])));
      this.stores[kind].prune((chainId) => needed.has(chainId), this.trash);
    }
  }

  /** All bundles, also those that are not complete. */
  private all(): { own: string; record: BundleRecord | undefined }[] {
    const directory = `${this.path}/bundles`;
    return readdirSync(directory).map((id) => ({
      own: `${directory}/${id}`,
      record: loadRecord(`${directory}/${id}`),
    }));
  }

  /** Runs what no other command may do at the same time; for moments, and nothing in it may ask for the same. */
  exclusively<T>(act: () => T): T {
    const fd = openSync(`${this.path}/lock`, "a", 0o600);
    try {
      lock(fd);
      return act();
    } finally {
      closeSync(fd);
    }
  }
}

/** Whether another process has a directory. */
function isClaimed(path: string): boolean {
  const fd = claim(path);
  if (fd !== undefined) closeSync(fd);
  return fd === undefined;
}

/** Whether a bundle, or part of one, lies where it shall be; another directory may be there as well. */
const isInPlace = ({ path, identity }: BundleRecord): boolean =>
  identity !== undefined && identityOf(path) === identity;

/** Whether a bundle uses a volume. Where that was not noted its config.json tells; where there is none there, it may. */
function usesVolume(record: BundleRecord, name: string): boolean {
  if (record.volumes !== undefined) return record.volumes.includes(name);
  if (!isInPlace(record)) return true;
  try {
    return readFileSync(`${record.path}/config.json`, "utf8").includes(`/volumes/${name}"`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}
