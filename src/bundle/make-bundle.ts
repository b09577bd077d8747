import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { bundleConfig } from "./bundle-config.js";
import { withNetwork } from "./bundle-network.js";
import { identityOf, type StoreKind } from "./bundle-record.js";
import { causeOf } from "./cause.js";
import { DirectoryFiles } from "./directory-files.js";
import { type IdMaps, outsideId } from "./id-maps.js";
import type { Image } from "./image.js";
import type { ImageFiles } from "./image-files.js";
import { findUser, type ImageUser } from "./image-user.js";
import { formatPlatform, HOST, isFor, type Platform } from "./platform.js";
import { readImage } from "./read-image.js";
import { applyRunOptions, type RunOptions, withRunOptions } from "./run-options.js";
import type { LockedBundle, StoreDirectory } from "./store-directory.js";
import { syncFileSystem } from "./sync-file-system.js";
import { Tarball } from "./tarball.js";
import type { Task } from "./task.js";
import { makeVolumes, provideVolume } from "./volumes.js";

/** What to make a bundle of, and where. */
export interface Order {
  /** The path of a tarball, "-" for standard input; or of a directory with the same files. */
  tarball: string;
  /** Which of several images. */
  name: string | undefined;
  /** For which platform; by default this machine's. */
  platform: Platform | undefined;
  /** The bundle's directory; must not exist, or be empty. By default it is named after the image. */
  output: string | undefined;
  /** The kind of store; by default the best that works. */
  store: StoreKind | undefined;
  run: RunOptions;
}

/**
 * Makes a bundle of a tarball. It is made beside the directory that it shall be, and moved there when it is complete:
 * there is all of it, or nothing. Returns its path. Throws Failure, and what ends the task.
 */
export async function makeBundle(store: StoreDirectory, order: Order, task: Task): Promise<string> {
  const kind = store.choose(order.store, task.warn);
  const source = order.tarball === "-" ? "standard input" : quote(order.tarball);
  let files: ImageFiles | undefined;
  try {
    files = isDirectory(order.tarball)
      ? new DirectoryFiles(order.tarball)
      : await Tarball.open(order.tarball, store.spool, task);
    const image = readImage(files, order.name, order.platform);
    checkPlatform(image, order.platform, task);
    return await make(image, store, kind, order, task);
  } catch (error) {
    task.signal.throwIfAborted();
    throw error instanceof OutputFailure ? error : new Failure(source, { cause: causeOf(error) });
  } finally {
    task.end();
    files?.close();
  }
}

/** What is wrong with where the bundle shall be, not with what it is made of. */
class OutputFailure extends Failure {}

async function make(image: Image, store: StoreDirectory, kind: StoreKind, order: Order, task: Task): Promise<string> {
  const name = nameOf(image, order.tarball);
  const path = freePath(order.output ?? name);
  const temporary = `${dirname(path)}/.${basename(path)}.${randomUUID()}`;
  const bundle = store.begin({
    path,
    temporary,
    identity: undefined,
    store: kind,
    ids: order.run.ids,
    image: image.names[0] ?? name,
    layers: image.layers.map(({ chainId }) => chainId),
    volumes: order.run.volume.flatMap((volume) => ("name" in volume ? [volume.name] : [])),
    created: new Date().toISOString(),
  });
  try {
    await fill(image, store, bundle, name, order.run, task);
    task.signal.throwIfAborted();
    syncFileSystem(temporary);
    renameSync(temporary, path);
    store.complete(bundle);
    return path;
  } catch (error) {
    try {
      store.discard(bundle);
    } catch (further) {
      // The next command tries again.
      task.warn(`what was made so far is not removed: ${(further as Error).message}`);
    }
    throw error;
  }
}

/** Makes all that a bundle consists of, in its temporary directory. */
async function fill(
  image: Image,
  store: StoreDirectory,
  bundle: LockedBundle,
  name: string,
  run: RunOptions,
  task: Task,
): Promise<void> {
  const { temporary } = bundle.record;
  const rootfs = `${temporary}/rootfs`;
  // Set-id programs and devices in the root file system are not for the host's users.
  mkdirSync(temporary, 0o700);
  if (run.ids !== undefined) letIn(temporary, run.ids, task);
  store.update(bundle, { identity: identityOf(temporary) });
  mkdirSync(rootfs, 0o755);
  await store.store(bundle.record.store).assemble(image.layers, { own: bundle.own, rootfs, ids: run.ids }, task);
  const asked = withRunOptions(image.config, run);
  const user = findUser(rootfs, asked.user);
  if (run.ids !== undefined) requireMapped(user, run.ids);
  const volumes = makeVolumes(temporary, asked.volumes, run.ids);
  const mounts = run.volume.map((volume) => {
    if (!("name" in volume)) return volume;
    const { name: called, ...mount } = volume;
    const made = { rootfs, destination: volume.destination, ids: run.ids };
    const exclusively = (act: () => void) => store.exclusively(act);
    return { ...mount, source: provideVolume(store.volumes, called, store.partOf(bundle), made, exclusively) };
  });
  const alone = applyRunOptions(bundleConfig(asked, user, volumes, name, task.warn), run, mounts);
  const config = run.network === undefined ? alone : withNetwork(alone, temporary, run.network);
  writeFileSync(`${temporary}/config.json`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o644 });
}

/** Lets the root of a user namespace into a bundle's directory: it is an ordinary user of the host's, in a group. */
function letIn(bundle: string, { gids }: IdMaps, task: Task): void {
  const gid = outsideId(gids, 0);
  chownSync(bundle, 0, gid);
  chmodSync(bundle, 0o710);
  for (let directory = dirname(bundle); directory !== "/"; directory = dirname(directory)) {
    const status = statSync(directory);
    if ((status.mode & (status.gid === gid ? 0o010 : 0o001)) === 0)
      task.warn(`the container's root, who is no root outside, may not enter ${quote(directory)}`);
  }
}

/** Throws Failure where a user namespace has not all ids of the user that runs in it. */
function requireMapped({ uid, gid, groups }: ImageUser, { uids, gids }: IdMaps): void {
  try {
    outsideId(uids, uid);
    for (const group of [gid, ...groups]) outsideId(gids, group);
  } catch (cause) {
    throw new Failure("--userns", { cause });
  }
}

/** The absolute path of a directory to be. Throws OutputFailure where something is there already, or it cannot be. */
function freePath(output: string): string {
  const directory = resolve(output);
  let path: string;
  try {
    path = `${realpathSync(dirname(directory)).replace(/^\/$/, "")}/${basename(directory)}`;
  } catch (error) {
    throw new OutputFailure(quote(output), { cause: causeOf(error) });
  }
  if (entriesIn(path) > 0) throw new OutputFailure(quote(output), { cause: "it exists already and is not empty" });
  return path;
}

function entriesIn(path: string): number {
  try {
    return readdirSync(path).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw new OutputFailure(quote(path), { cause: causeOf(error) });
  }
}

/** What an image is called in short, "busybox" for "docker.io/library/busybox:1.36"; else after its tarball. */
function nameOf(image: Image, tarball: string): string {
  // A name without any of these is a tag alone.
  const name = image.names.find((candidate) => /[:/@]/.test(candidate));
  const last = basename(name?.replace(/(:[^/]*)?(@.*)?$/, "") ?? "");
  if (/\w/.test(last)) return last;
  return tarball === "-" ? "image" : basename(tarball).replace(/(\.tar)?(\.(gz|zst|tgz))?$/, "") || "image";
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function checkPlatform({ config }: Image, asked: Platform | undefined, task: Task): void {
  const { os, architecture, variant } = config;
  const platform = { os: os || HOST.os, architecture: architecture || HOST.architecture, variant };
  const wanted = asked ?? { ...platform, os: HOST.os };
  if (!isFor(platform, wanted))
    throw new Failure(`the image is for ${formatPlatform(platform)}, not for ${formatPlatform(wanted)}`);
  if (platform.architecture !== HOST.architecture)
    task.warn(`the image is for ${formatPlatform(platform)}, this machine is ${HOST.architecture}`);
}
