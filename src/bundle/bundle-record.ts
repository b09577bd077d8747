import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { causeOf } from "./cause.js";
import type { Digest } from "./digest.js";
import type { IdMaps } from "./id-maps.js";

/** The ways to keep layers, the best first. */
export const STORE_KINDS = ["overlay", "btrfs", "copy"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** What the store knows of a bundle; it lies in the bundle's own directory there. */
export interface BundleRecord {
  /** Where the bundle is, or will be; absolute. */
  path: string;
  /** Where it is made before it is moved there. */
  temporary: string;
  /** Tells the bundle's directory from others, wherever it is; undefined before it is there. */
  identity: string | undefined;
  store: StoreKind;
  /** What its user namespace maps ids by, if it has one. */
  ids?: IdMaps | undefined;
  /** The image's name, or what stands for it. */
  image: string;
  /** The layers' chain IDs, from the lowest to the topmost. */
  layers: readonly Digest[];
  /** The volumes that it uses by their names; earlier builds noted none. */
  volumes?: readonly string[];
  /** When it was made, in ISO 8601. */
  created: string;
}

const NAME = "bundle.json";

/** The empty file beside the record of a bundle that is complete: to remove it needs no space on a disk that is full. */
const COMPLETE = "complete";

/** Writes a bundle's record, whole or not at all even where the machine's power fails. Throws Failure. */
export function saveRecord(own: string, record: BundleRecord): void {
  const path = `${own}/${NAME}`;
  try {
    writeDurably(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new Failure(quote(path), { cause: causeOf(error) });
  }
}

function writeDurably(path: string, content: string): void {
  const fd = openSync(path, "w", 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Reads a bundle's record; undefined where there is none yet. Throws Failure. */
export function loadRecord(own: string): BundleRecord | undefined {
  const path = `${own}/${NAME}`;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Failure(quote(path), { cause: error });
  }
}

/**
 * Whether a bundle is complete. One that is not is on its way or being removed: if no process works on it any more, the
 * next command removes it.
 */
export const isComplete = (own: string): boolean => existsSync(`${own}/${COMPLETE}`);

/** Notes whether a bundle is complete. Throws errors of node:fs. */
export function setComplete(own: string, complete: boolean): void {
  if (complete) writeDurably(`${own}/${COMPLETE}`, "");
  else rmSync(`${own}/${COMPLETE}`, { force: true });
}

/** What stays the same when a directory is moved, and through restarts of the machine; undefined where there is none. */
export function identityOf(path: string): string | undefined {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.ino}-${status.birthtimeNs}`;
}
