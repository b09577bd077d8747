import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { LayerWriter } from "../../src/bundle/layer-writer.js";
import { TarFeed } from "../../src/bundle/tar-feed.js";
import { C } from "../../src/linux/constants.js";
import { open, using } from "../../src/linux/file.js";
import { dockerArchive, layer } from "./archives.js";
import { ATTACKS } from "./attacks.js";
import { eachStore, faultsIn, MISSING, type Place, placed } from "./place.js";
import { makeHostReadOnly } from "./read-only-host.js";
import { file, tar } from "./tar-writer.js";
import { tree } from "./tree.js";

// Whoever writes outside of the tests' own directories fails; inside of them it is seen.
if (!MISSING) makeHostReadOnly();

/** All in a place that is no store, no bundle and no tarball: what an attack must not change. */
function outsideOf(place: Place): Record<string, unknown> {
  const kept = readdirSync(place.directory).filter((name) => !/^store$|^bundle-\d+$|^image-\d+\.tar$/.test(name));
  return Object.fromEntries(kept.map((name) => [name, tree(place.path(name))]));
}

for (const [name, { layers, archive, refused, made }] of Object.entries(ATTACKS)) {
  eachStore(`${name} is ${refused === undefined ? "harmless" : "refused"}`, async (place, kind) => {
    const outside = place.path("outside");
    mkdirSync(outside);
    writeFileSync(`${outside}/f`, "host");
    writeFileSync(`${outside}/passwd`, "evil:x:0:0::/:/bin/sh\n");
    const before = outsideOf(place);
    const tarball = archive?.() ?? dockerArchive((layers?.(outside) ?? []).map(layer));
    if (refused !== undefined) await place.refusesArchive(tarball, refused, kind);
    else {
      const bundle = await place.convert(tarball, kind);
      made?.(`${bundle}/rootfs`);
      assert.deepEqual(faultsIn(place.store), []);
      place.store.remove(place.store.bundles()[0], true);
      place.isClean();
    }
    assert.deepEqual(outsideOf(place), before);
  });
}

test("the table has attacks of all kinds", () => {
  assert.ok(Object.keys(ATTACKS).length >= 30);
  for (const { refused, made } of Object.values(ATTACKS)) assert.equal(refused === undefined, made !== undefined);
});

placed("more entries than a layer may have", (place) => {
  using(open(place.directory, C.O_RDONLY | C.O_DIRECTORY), (root) => {
    const feed = new TarFeed(new LayerWriter(root, () => {}, 3));
    assert.throws(() => feed.write(tar([1, 2, 3, 4].map((n) => file(`f${n}`)))), /entry "f4": more than 3 entries/);
  });
});
