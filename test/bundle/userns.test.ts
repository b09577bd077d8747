import assert from "node:assert/strict";
import { chmodSync, closeSync, existsSync, lstatSync, readdirSync } from "node:fs";
import { mountOf } from "../../src/bundle/id-maps.js";
import { makeBundle } from "../../src/bundle/make-bundle.js";
import { toIdMaps } from "../../src/commands/fdbundle/userns.js";
import { dockerArchive, imageConfig, layer } from "./archives.js";
import { configOf, eachStore, type Place, placed, RUN } from "./place.js";
import { directory, file } from "./tar-writer.js";

const LAYERS = [
  layer([directory("d/", { uid: 5, mode: 0o750 }), file("d/f", "x", { uid: 1000, gid: 1001 }), file("gone", "")]),
  layer([file(".wh.gone", ""), { name: "s", content: "s", uid: 0, mode: 0o4755 }, directory("data/", { uid: 33 })]),
];
const ARCHIVE = dockerArchive(
  LAYERS,
  ["x/i:1"],
  imageConfig(LAYERS, { Cmd: ["x"], Volumes: { "/data": {}, "/new": {} } }),
);

/** Why a place's file system cannot be mounted with mapped ids; undefined where it can. */
function missing({ directory }: Place): string | undefined {
  try {
    closeSync(mountOf(directory, toIdMaps("0:100000:1")));
    return undefined;
  } catch {
    return "needs a temporary directory that can be mounted with mapped ids";
  }
}

const ownersIn = (root: string, ...names: string[]) =>
  names.map((name) => {
    const { uid, gid } = lstatSync(`${root}/${name}`);
    return `${uid}:${gid}`;
  });

async function convert(place: Place, store: "overlay" | "btrfs" | "copy", maps: string): Promise<string> {
  const order = {
    tarball: place.write("i.tar", ARCHIVE),
    output: place.path("bundle"),
    name: undefined,
    platform: undefined,
  };
  return makeBundle(place.store, { ...order, store, run: { ...RUN, ids: toIdMaps(maps) } }, place.task());
}

eachStore(
  "a bundle with a user namespace shows files with its ids, and the image's layers keep theirs",
  async (place, kind, t) => {
    const reason = missing(place);
    if (reason !== undefined) return t.skip(reason);
    const bundle = await convert(place, kind, "0:200000:5000");
    const shown = () => ownersIn(`${bundle}/rootfs`, ".", "d", "d/f", "s");
    const expected = ["200000:200000", "200005:200000", "201000:201001", "200000:200000"];
    assert.deepEqual(shown(), expected);
    assert.equal(lstatSync(`${bundle}/rootfs/s`).mode & 0o7777, 0o4755);
    assert.ok(!existsSync(`${bundle}/rootfs/gone`));
    // What the image has at a volume comes along; where it has nothing, the container's root may write.
    assert.deepEqual(ownersIn(`${bundle}/volumes`, "0", "1"), ["200033:200000", "200000:200000"]);
    const { linux } = configOf(bundle);
    const maps = [{ containerID: 0, hostID: 200000, size: 5000 }];
    assert.deepEqual([linux.uidMappings, linux.gidMappings], [maps, maps]);
    assert.ok(linux.namespaces.some(({ type }: { type: string }) => type === "user"));
    const { mode, gid } = lstatSync(bundle);
    assert.deepEqual([mode & 0o777, gid], [0o710, 200000]);
    // Another bundle of the image's is as ever.
    const plain = await place.convert(ARCHIVE, kind);
    assert.deepEqual(ownersIn(`${plain}/rootfs`, "d", "d/f", "s"), ["5:0", "1000:1001", "0:0"]);
    // After a restart.
    assert.equal(place.fdbundle("unmount", bundle).status, 0);
    assert.deepEqual(readdirSync(`${bundle}/rootfs`), []);
    assert.equal(place.fdbundle("mount").status, 0);
    assert.deepEqual(shown(), expected);
    assert.equal(place.fdbundle("rm", bundle, plain).status, 0);
    place.isClean();
  },
);

placed("maps are asked for as ranges, and have the ids that are needed", (place, t) => {
  const tarball = place.write(
    "i.tar",
    dockerArchive(LAYERS, ["x/i:1"], imageConfig(LAYERS, { Cmd: ["x"], User: "700" })),
  );
  const convert = (maps: string) =>
    place.fdbundle("from-tar", tarball, "-o", "bundle", "--store", "copy", `--userns=${maps}`).stderr;
  const cases: [maps: string, reason: RegExp][] = [
    ["yes", /^fdbundle: --userns: "yes": neither "auto" nor of the form INSIDE:OUTSIDE:COUNT\[,…\]$/m],
    ["0:1:0", /^fdbundle: --userns: "0:1:0": not ids$/m],
    ["1:1:1", /^fdbundle: --userns: "1:1:1": id 0 has to be mapped$/m],
    ["0:100000:700", /^fdbundle: ".*": --userns: id 700: it is not mapped$/m],
  ];
  place.fdbundle("ls");
  for (const [maps, reason] of cases) {
    assert.match(convert(maps), reason);
    place.isClean();
  }
  const reason = missing(place);
  if (reason !== undefined) return t.skip(reason);
  chmodSync(place.directory, 0o700);
  assert.match(
    convert("0:1:1,700:100000:1"),
    /warning: the container's root, .*, may not enter ".*fdbundle-test-\w+"$/m,
  );
  assert.deepEqual(configOf(place.path("bundle")).linux.uidMappings, [
    { containerID: 0, hostID: 1, size: 1 },
    { containerID: 700, hostID: 100000, size: 1 },
  ]);
  assert.equal(place.fdbundle("rm", "bundle").status, 0);
});
