import { resolve } from "node:path";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { identityOf } from "./bundle-record.js";
import type { StoredBundle } from "./store-directory.js";

/**
 * The bundle in a directory, also where that was moved since the bundle was made, and the one that was in a directory
 * that is gone. Throws Failure where there is none.
 */
export function findBundle(bundles: readonly StoredBundle[], directory: string): StoredBundle {
  const path = resolve(directory);
  const identity = identityOf(path);
  const moved = bundles.find(({ record }) => identity !== undefined && record.identity === identity);
  if (moved !== undefined) return { ...moved, record: { ...moved.record, path } };
  const gone = bundles.find(({ record }) => identity === undefined && record.path === path);
  if (gone !== undefined) return gone;
  throw new Failure(quote(directory), {
    cause: "the store knows of no bundle there",
    hint: "`fdbundle ls` lists them",
  });
}
