import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { STORE_KINDS, type StoreKind } from "../../src/bundle/bundle-record.js";
import { findFaults } from "../../src/bundle/find-faults.js";
import { makeBundle } from "../../src/bundle/make-bundle.js";
import type { Platform } from "../../src/bundle/platform.js";
import { Progress } from "../../src/bundle/progress.js";
import type { RunOptions } from "../../src/bundle/run-options.js";
import { StoreDirectory } from "../../src/bundle/store-directory.js";
import { isSubvolume, removeSubvolume } from "../../src/bundle/subvolume.js";
import { Task } from "../../src/bundle/task.js";
import { mountLines, parseMount } from "../../src/linux/mount-info.js";
import { ROOT } from "../folders.js";
import { dockerArchive, layer } from "./archives.js";
import type { Entry } from "./tar-writer.js";

/** The command line of fdbundle. */
export const FDBUNDLE: readonly string[] = [process.execPath, join(ROOT, "dist/test/src/bin/fdbundle.js")];

export const KINDS = STORE_KINDS;

/** Nothing is asked for beside what the image says. */
export const RUN: RunOptions = {
  env: [],
  workdir: undefined,
  user: undefined,
  entrypoint: undefined,
  command: [],
  hostname: undefined,
  label: [],
  volume: [],
  tmpfs: [],
  device: [],
  resources: {},
  network: undefined,
  ids: undefined,
  capAdd: [],
  capDrop: [],
  readOnly: false,
  tty: false,
  noNewPrivileges: false,
  seccomp: "default",
};

/** A directory for one test, with a store in it; checked and removed at the test's end. */
export class Place {
  readonly directory: string;
  /** What the conversions warned of. */
  readonly warnings: string[] = [];
  private made = 0;

  /** @param parent where the directory is */
  constructor(parent = tmpdir()) {
    this.directory = mkdtempSync(join(parent, "fdbundle-test-"));
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  get store(): StoreDirectory {
    return new StoreDirectory(this.path("store"), (message) => this.warnings.push(message));
  }

  task(signal: AbortSignal = new AbortController().signal): Task {
    return new Task(
      signal,
      new Progress(undefined),
      (message) => this.warnings.push(message),
      () => {},
    );
  }

  write(name: string, content: Buffer | string): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** Makes a bundle of a tarball's content. Returns its directory. */
  async convert(tarball: Buffer, kind: StoreKind = "copy", name?: string, platform?: Platform): Promise<string> {
    const input = this.write(`image-${++this.made}.tar`, tarball);
    const output = this.path(`bundle-${this.made}`);
    return await makeBundle(this.store, { tarball: input, output, name, platform, store: kind, run: RUN }, this.task());
  }

  /** Makes a root file system of layers. Returns its directory. */
  async unpack(layers: readonly (readonly Entry[])[], kind: StoreKind = "copy"): Promise<string> {
    return `${await this.convert(dockerArchive(layers.map(layer)), kind)}/rootfs`;
  }

  /** Asserts that layers cannot be unpacked, for this reason, and that nothing is left. */
  async refuses(layers: readonly (readonly Entry[])[], kind: StoreKind, reason: RegExp): Promise<void> {
    await this.refusesArchive(dockerArchive(layers.map(layer)), reason, kind);
  }

  async refusesArchive(tarball: Buffer, reason: RegExp, kind: StoreKind = "copy", name?: string): Promise<void> {
    await assert.rejects(this.convert(tarball, kind, name), (error: Error) => {
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /\n|\/proc\/self/);
      return true;
    });
    this.isClean();
  }

  /** Asserts that no bundle is there, and no part of one. */
  isClean(): void {
    const left = readdirSync(this.directory).filter((name) => /^\.|^bundle/.test(name));
    const kept = ["bundles", "overlay", "btrfs", "trash"].flatMap((name) => {
      return readdirSync(this.path("store", name)).map((entry) => `${name}/${entry}`);
    });
    assert.deepEqual([left, kept, this.mounts()], [[], [], []]);
  }

  /** Where something is mounted in the directory. */
  mounts(): string[] {
    return [...mountLines()]
      .map((line) => parseMount(line).mountPoint)
      .filter((path) => path.startsWith(`${this.directory}/`));
  }

  /** Runs fdbundle with the store. */
  fdbundle(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const [command, ...first] = FDBUNDLE;
    const options = { encoding: "utf8", cwd: this.directory } as const;
    const result = spawnSync(command, [...first, "--root", this.path("store"), ...args], options);
    return { status: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  remove(): void {
    for (const path of this.mounts().reverse()) spawnSync("umount", [path]);
    // What is read-only rmSync does not remove.
    const layers = this.path("store/btrfs");
    for (const name of existsSync(layers) ? readdirSync(layers) : [])
      if (isSubvolume(`${layers}/${name}`)) removeSubvolume(`${layers}/${name}`);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Why nothing of this can be tested here, or false. */
export const MISSING: string | false = process.geteuid?.() !== 0 ? "needs root" : false;

/** A test that has a place of its own. */
export function placed(
  name: string,
  run: (place: Place, t: TestContext) => Promise<void> | void,
  parent = (): string | undefined => tmpdir(),
): void {
  test(name, { skip: MISSING }, async (t) => {
    const directory = parent();
    if (directory === undefined) return t.skip("needs btrfs-progs, and btrfs in the kernel");
    const place = new Place(directory);
    try {
      await run(place, t);
    } finally {
      place.remove();
    }
  });
}

/** The same test for each kind of store that works here. */
export function eachStore(
  name: string,
  run: (place: Place, kind: StoreKind, t: TestContext) => Promise<void> | void,
): void {
  for (const kind of KINDS)
    placed(
      `${name} (${kind})`,
      async (place, t) => {
        if (kind === "overlay" && place.store.choose(undefined, () => {}) !== kind)
          return t.skip("needs overlay file systems in the temporary directory");
        await run(place, kind, t);
      },
      kind === "btrfs" ? btrfs : undefined,
    );
}

/** Whether a btrfs file system can be made and mounted. */
export const hasBtrfs = (): boolean =>
  spawnSync("mkfs.btrfs", ["--version"]).status === 0 &&
  readFileSync("/proc/filesystems", "utf8").includes("\tbtrfs\n");

/** The directory where a btrfs file system is mounted, as long as this process runs; undefined where there is none. */
export function btrfs(): string | undefined {
  btrfsDirectory ??= makeBtrfs();
  return btrfsDirectory === "" ? undefined : btrfsDirectory;
}

let btrfsDirectory: string | undefined;

function makeBtrfs(): string {
  const directory = mkdtempSync(join(tmpdir(), "fdbundle-btrfs-"));
  const image = `${directory}.img`;
  const make = 'truncate -s 1G "$0" && mkfs.btrfs -q "$0" && mount -o loop "$0" "$1"';
  const { status } = spawnSync("sh", ["-c", make, image, directory]);
  process.once("exit", () => {
    if (status === 0) spawnSync("umount", [directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  rmSync(image, { force: true });
  return status === 0 ? directory : "";
}

/** What is wrong with a store. */
export const faultsIn = (store: StoreDirectory): string[] => store.lookAt((contents) => findFaults(store, contents));

/** A bundle's config.json. */
export const configOf = (bundle: string) => JSON.parse(readFileSync(`${bundle}/config.json`, "utf8"));
