import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { provideVolume } from "../../src/bundle/volumes.js";
import { dockerArchive, layer } from "./archives.js";
import { type Place, placed } from "./place.js";
import { file } from "./tar-writer.js";

const IMAGE = dockerArchive([layer([file("data/first", "of the image")])]);

function succeeds(place: Place, ...args: string[]): string {
  const { status, stdout, stderr } = place.fdbundle(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

function refused(place: Place, ...args: string[]): string {
  const { status, stderr } = place.fdbundle(...args);
  assert.equal(status, 1);
  return stderr;
}

/** Makes a bundle that uses these volumes. Returns its directory. */
function bundleWith(place: Place, name: string, ...volumes: string[]): string {
  const tarball = place.write("image.tar", IMAGE);
  const flags = volumes.flatMap((volume) => ["--volume", `${volume}:/data`]);
  succeeds(place, "from-tar", tarball, "--store", "copy", "-o", name, ...flags);
  return place.path(name);
}

placed("volumes are listed with the bundles that use them", (place) => {
  assert.equal(succeeds(place, "volume", "ls"), "VOLUME      BUNDLES     PATH\n");
  const paths = [bundleWith(place, "bundle-1", "one", "two"), bundleWith(place, "bundle-2", "two")];
  const [one, two] = ["one", "two"].map((name) => place.path("store/volumes", name));
  assert.equal(
    succeeds(place, "volume", "ls"),
    `VOLUME      BUNDLES     PATH\none         1           ${one}\ntwo         2           ${two}\n`,
  );
  assert.equal(succeeds(place, "volume", "ls", "--quiet"), "one\ntwo\n");
  assert.deepEqual(JSON.parse(succeeds(place, "volume", "ls", "--format", "json")), [
    { name: "one", path: one, bundles: [paths[0]] },
    { name: "two", path: two, bundles: paths },
  ]);
  assert.deepEqual(readdirSync(two), ["first"]);
});

placed("volumes are removed once no bundle uses them, and by nothing else", (place) => {
  const [first, second] = [bundleWith(place, "bundle-1", "one", "two"), bundleWith(place, "bundle-2", "two")];
  const uses = (bundle: string, name: string) =>
    `fdbundle: volume "${name}": bundle "${bundle}" uses it (\`fdbundle rm\` removes a bundle)\n`;
  assert.equal(refused(place, "volume", "rm", "one"), uses(first, "one"));
  succeeds(place, "rm", first);
  assert.equal(refused(place, "volume", "rm", "two", "one"), uses(second, "two"));
  // The directory is gone, and the store forgets the bundle.
  rmSync(second, { recursive: true });
  assert.equal(refused(place, "volume", "rm", "two"), uses(second, "two"));
  assert.equal(succeeds(place, "gc"), `${second}\n`);
  assert.equal(succeeds(place, "volume", "ls", "-q"), "one\ntwo\n");
  assert.equal(succeeds(place, "volume", "rm", "two", "one"), "two\none\n");
  assert.deepEqual(readdirSync(place.path("store/volumes")), []);
  for (const name of ["one", "../bundles", ".", ""])
    assert.equal(
      refused(place, "volume", "rm", name),
      `fdbundle: volume ${JSON.stringify(name)}: there is none of that name (\`fdbundle volume ls\` lists them)\n`,
    );
  place.isClean();
});

placed("what bundles of earlier builds use is in their config.json; where there is none, they may use all", (place) => {
  const [first, second] = [bundleWith(place, "bundle-1", "one", "two"), bundleWith(place, "bundle-2")];
  for (const { own, record } of place.store.bundles()) {
    const { volumes, ...old } = record;
    writeFileSync(`${own}/bundle.json`, JSON.stringify(old));
  }
  mkdirSync(place.path("store/volumes/three"));
  const users = () => place.store.namedVolumes().map(({ bundles }) => bundles);
  assert.deepEqual(users(), [[first], [], [first]]);
  assert.match(refused(place, "volume", "rm", "one"), /^fdbundle: volume "one": bundle ".*\/bundle-1" uses it/);
  assert.equal(succeeds(place, "volume", "rm", "three"), "three\n");
  renameSync(second, place.path("moved"));
  assert.deepEqual(users(), [
    [first, second],
    [first, second],
  ]);
});

placed("a volume that another command has made meanwhile is kept", (place) => {
  const volumes = place.path("volumes");
  mkdirSync(place.path("rootfs"));
  const image = { rootfs: place.path("rootfs"), destination: "/data", ids: undefined };
  let made: number | undefined;
  const path = provideVolume(volumes, "one", ".part", image, (act) => {
    mkdirSync(`${volumes}/one`);
    made = statSync(`${volumes}/one`).ino;
    act();
  });
  assert.equal(statSync(path).ino, made);
  assert.deepEqual(readdirSync(volumes), ["one"]);
});

placed("what commands that were killed left of volumes, the next one removes", (place) => {
  const bundle = bundleWith(place, "bundle-1", "one");
  const [{ own }] = place.store.bundles();
  const [left, atWork] = ["killed", own.replace(/.*\//, "")].map((name) => place.path("store/volumes", `.${name}`));
  for (const path of [left, atWork]) mkdirSync(path);
  assert.equal(succeeds(place, "volume", "ls", "-q"), "one\n");
  assert.deepEqual([existsSync(left), existsSync(atWork)], [false, true]);
  succeeds(place, "rm", bundle);
  assert.deepEqual(readdirSync(place.path("store/volumes")), ["one"]);
  place.isClean();
});
