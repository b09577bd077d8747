import { existsSync } from "node:fs";
import type { StoreKind } from "./bundle-record.js";
import type { Digest } from "./digest.js";
import { diskUsage } from "./disk-usage.js";
import type { StoreDirectory } from "./store-directory.js";

/** How much disk space a store's bundles and layers take, in bytes. */
export interface Usage {
  /** `own` is what a bundle takes alone, `layers` what it has in common with others, or could. */
  bundles: { path: string; image: string; store: StoreKind; own: number; layers: number }[];
  /** Each layer once, with the number of bundles that have it. */
  layers: { id: Digest; store: StoreKind; bundles: number; size: number }[];
  /** All of it, each layer once. */
  total: number;
}

/** Measures what complete bundles take. */
export function usageOf(store: StoreDirectory): Usage {
  const bundles = store.bundles();
  const layers = new Map<string, Usage["layers"][number]>();
  for (const { record } of bundles)
    for (const [i, id] of (record.store === "copy" ? [] : record.layers).entries()) {
      const key = `${record.store} ${id}`;
      const known = layers.get(key);
      if (known !== undefined) known.bundles++;
      else {
        const size = store.store(record.store).layerSize(id, record.layers[i - 1]);
        layers.set(key, { id, store: record.store, bundles: 1, size });
      }
    }
  const usage = bundles.map(({ own, record: { path, image, store: kind, layers: ids } }) => ({
    path,
    image,
    store: kind,
    own: store.store(kind).ownSize(own, ids) + (existsSync(path) ? diskUsage(path) : 0),
    layers: ids.reduce((sum, id) => sum + (layers.get(`${kind} ${id}`)?.size ?? 0), 0),
  }));
  const all = [...layers.values()];
  const total = [...usage.map(({ own }) => own), ...all.map(({ size }) => size)].reduce((sum, size) => sum + size, 0);
  return { bundles: usage, layers: all, total };
}
