import { existsSync } from "node:fs";
import { quote } from "../linux/file.js";
import { type BundleRecord, identityOf, isComplete } from "./bundle-record.js";
import type { StoreContents, StoreDirectory } from "./store-directory.js";

/** What is wrong with a store, a line each; none where all of every bundle is there and nothing else is. */
export function findFaults(store: StoreDirectory, { bundles, layers }: StoreContents): string[] {
  const there = new Set(layers.map(({ kind, id }) => `${kind} ${id}`));
  const all = bundles.flatMap(({ own, record, isAtWork }) => {
    if (isAtWork) return [];
    if (record === undefined || !isComplete(own))
      return [`${quote(own)}: a part of a bundle, which no process works on`];
    const faults = [...faultsOf(record)];
    if (!store.store(record.store).isComplete(own)) faults.push(`${quote(own)}, where its changes are, is not whole`);
    for (const layer of record.layers)
      if (record.store !== "copy" && !there.has(`${record.store} ${layer}`)) faults.push(`layer ${layer} is missing`);
    return faults.map((fault) => `bundle ${quote(record.path)}: ${fault}`);
  });
  return all.sort();
}

/** What is wrong with a bundle's directory. */
function* faultsOf({ path, identity }: BundleRecord): Generator<string> {
  if (identityOf(path) !== identity) yield "its directory is not there any more";
  else for (const name of ["config.json", "rootfs"]) if (!existsSync(`${path}/${name}`)) yield `${name} is missing`;
}
