import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { isSubvolume, removeSubvolume } from "../../src/bundle/subvolume.js";
import { dockerArchive, layer } from "./archives.js";
import { eachStore, type Place } from "./place.js";
import { file } from "./tar-writer.js";

const MIB = 1 << 20;
const SHARED = layer([file("shared", Buffer.alloc(4 * MIB, "shared"))]);
const one = dockerArchive([SHARED, layer([file("one", Buffer.alloc(2 * MIB, "one"))])], ["x/one:1"]);
const two = dockerArchive([SHARED, layer([file("two", "two")])], ["x/two:2"]);

const succeeds = (place: Place, ...args: string[]): string => {
  const { status, stdout, stderr } = place.fdbundle(...args);
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
};

eachStore("check says that nothing is wrong, and what is", async (place, kind) => {
  const layers = kind === "copy" ? 0 : 3;
  assert.equal(succeeds(place, "check"), "nothing is wrong with 0 bundles and 0 layers\n");
  const [first, second] = [await place.convert(one, kind), await place.convert(two, kind)];
  assert.equal(succeeds(place, "check"), `nothing is wrong with 2 bundles and ${layers} layers\n`);
  const [{ own, record }] = place.store.bundles();
  const faults = [`bundle "${first}": config.json is missing\n`];
  rmSync(`${first}/config.json`);
  if (kind !== "copy") {
    succeeds(place, "unmount", first, second);
    faults.push(`bundle "${first}": "${own}", where its changes are, is not whole\n`);
    for (const path of [`${own}/upper`, `${own}/rootfs`])
      if (isSubvolume(path)) removeSubvolume(path);
      else rmSync(path, { recursive: true, force: true });
    const [lost] = record.layers;
    for (const bundle of [first, second]) faults.push(`bundle "${bundle}": layer ${lost} is missing\n`);
    const path = place.path("store", kind, lost.replace(":", "-"));
    if (kind === "btrfs") removeSubvolume(path);
    else rmSync(path, { recursive: true });
  }
  const { status, stdout, stderr } = place.fdbundle("check");
  assert.deepEqual([status, stdout], [1, faults.sort().join("")]);
  assert.equal(stderr, `fdbundle: "${place.path("store")}": ${faults.length} faults\n`);
});

eachStore("gc forgets bundles whose directories are gone", async (place, kind) => {
  const [gone, kept, moved] = [
    await place.convert(one, kind),
    await place.convert(two, kind),
    await place.convert(two, kind),
  ];
  assert.equal(succeeds(place, "gc"), "");
  spawnSync("umount", [`${gone}/rootfs`]);
  rmSync(gone, { recursive: true });
  spawnSync("mv", [moved, place.path("bundle-moved")]);
  const { status, stdout } = place.fdbundle("check");
  const expected = [gone, moved].map((path) => `bundle "${path}": its directory is not there any more\n`);
  assert.deepEqual([status, stdout], [1, expected.join("")]);
  // What is mounted somewhere is in use, and a bundle can be found again.
  if (kind === "copy") succeeds(place, "mount", "bundle-moved");
  assert.equal(succeeds(place, "gc"), `${gone}\n`);
  succeeds(place, "mount", "bundle-moved");
  assert.match(succeeds(place, "check"), /^nothing is wrong with 2 bundles/);
  assert.equal(succeeds(place, "ls", "-q").includes(gone), false);
  assert.equal(readdirSync(place.path("bundle-moved/rootfs")).length, 2);
  succeeds(place, "rm", place.path("bundle-moved"));
  const layers = kind === "copy" ? 0 : 2;
  assert.equal(succeeds(place, "check"), `nothing is wrong with 1 bundles and ${layers} layers\n`);
  succeeds(place, "rm", kept);
  place.isClean();
});

eachStore("any command removes what one that was killed left of a layer", async (place, kind) => {
  const bundle = await place.convert(one, kind);
  const [layerId] = place.store.bundles()[0].record.layers;
  const store = place.path("store", kind === "copy" ? "overlay" : kind);
  const before = readdirSync(store);
  for (const name of [layerId.replace(":", "-"), `sha256-${"0".repeat(64)}`]) {
    mkdirSync(`${store}/${name}.partial`);
    writeFileSync(`${store}/${name}.partial/x`, "");
  }
  succeeds(place, "ls");
  assert.deepEqual(readdirSync(store), before);
  succeeds(place, "rm", bundle);
  place.isClean();
});

eachStore("du counts what bundles share once", async (place, kind) => {
  const paths = [await place.convert(one, kind), await place.convert(one, kind), await place.convert(two, kind)];
  writeFileSync(`${paths[0]}/rootfs/own`, Buffer.alloc(MIB, "own"));
  const { bundles, layers, total } = JSON.parse(succeeds(place, "du", "-f", "json"));
  const mebibytes = (bytes: number) => Math.round(bytes / MIB);
  assert.deepEqual(
    bundles.map(({ path, image, store }: Record<string, string>) => [path, image, store]),
    paths.map((path, i) => [path, i < 2 ? "x/one:1" : "x/two:2", kind]),
  );
  const sizes = (name: string) => bundles.map((bundle: Record<string, number>) => mebibytes(bundle[name]));
  if (kind === "copy") {
    assert.deepEqual([sizes("own"), sizes("layers"), layers], [[7, 6, 4], [0, 0, 0], []]);
    assert.equal(mebibytes(total), 17);
  } else {
    assert.deepEqual(
      [sizes("own"), sizes("layers")],
      [
        [1, 0, 0],
        [6, 6, 4],
      ],
    );
    assert.deepEqual(
      layers.map((each: Record<string, number>) => [each.store, each.bundles, mebibytes(each.size)]),
      [
        [kind, 3, 4],
        [kind, 2, 2],
        [kind, 1, 0],
      ],
    );
    assert.equal(mebibytes(total), 7);
  }
  const text = succeeds(place, "du");
  assert.match(text, /^BUNDLE +IMAGE +STORE +OWN +LAYERS\n\/.*bundle-1 +x\/one:1 +\w+ +\d\.\d MiB +\d\.\d MiB\n/);
  assert.match(text, /\ntotal: \d+\.\d MiB\n$/);
  if (kind !== "copy") assert.match(text, /\n\nLAYER +STORE +BUNDLES +SIZE\nsha256:[0-9a-f]{64} +\w+ +3 +4\.0 MiB\n/);
});
