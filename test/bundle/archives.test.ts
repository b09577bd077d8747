import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { parsePlatform } from "../../src/bundle/platform.js";
import {
  type Descriptor,
  dockerArchive,
  imageConfig,
  type LayerBytes,
  Layout,
  layer,
  ociArchive,
  plain,
  sha256,
} from "./archives.js";
import { configOf, FDBUNDLE, type Place, placed } from "./place.js";
import { directory, type Entry, file, link, symlink, tar } from "./tar-writer.js";
import { names } from "./tree.js";

const ONE = layer([directory("d/"), file("d/a", "a".repeat(100_000))]);
const TWO = layer([file("b", "b")]);
const LEFT = [".", "b", "d", "d/a"];

const gzip = ({ content }: LayerBytes): LayerBytes => ({ content, blob: gzipSync(content) });

/** Compresses by the zstd program, or says that it is not there. */
function zstd(content: Buffer, ...options: string[]): Buffer | undefined {
  const { status, stdout } = spawnSync("zstd", ["-q", "-c", ...options], { input: content, maxBuffer: 1 << 30 });
  return status === 0 ? stdout : undefined;
}

const HOST = process.arch === "arm64" ? "arm64" : "amd64";
const OTHER = HOST === "arm64" ? "amd64" : "arm64";
const platform = (architecture: string, variant?: string) => ({
  os: "linux",
  architecture,
  ...(variant && { variant }),
});
const ref = (name: string) => ({ annotations: { "org.opencontainers.image.ref.name": name } });

placed("archives of all forms", async (place) => {
  const layers = [ONE, TWO];
  const forms = [
    dockerArchive(layers),
    dockerArchive([gzip(ONE), gzip(TWO)]),
    ociArchive(layers),
    ociArchive([gzip(ONE), TWO]),
    gzipSync(dockerArchive(layers)),
    gzipSync(ociArchive([gzip(ONE), gzip(TWO)])),
  ];
  for (const form of forms) assert.deepEqual(names(`${await place.convert(form)}/rootfs`), LEFT);
});

placed("what Docker writes since version 25: a layout and a list of images at once", async (place) => {
  const layers = [ONE, TWO];
  const layout = new Layout();
  const image = layout.addImage(layers);
  const [manifest] = [...layout.files]
    .filter(([name]) => name.endsWith(image.digest.slice(7)))
    .map(([, bytes]) => bytes);
  const { config } = JSON.parse(manifest.toString());
  const path = (digest: string) => `blobs/${digest.replace(":", "/")}`;
  const list = [
    {
      Config: path(config.digest),
      RepoTags: ["busybox:1", "busybox:latest"],
      Layers: layers.map(({ content }) => path(`sha256:${sha256(content)}`)),
    },
  ];
  layout.files.set("manifest.json", Buffer.from(JSON.stringify(list)));
  const named = (name: string) => ({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": "x" });
  const both = layout.tarball([
    { ...image, annotations: named("docker.io/library/busybox:1") },
    { ...image, annotations: named("docker.io/library/busybox:latest") },
  ]);
  assert.deepEqual(names(`${await place.convert(both)}/rootfs`), LEFT);
  assert.equal(place.store.bundles()[0].record.image, "docker.io/library/busybox:1");
  layout.files.delete("oci-layout");
  assert.deepEqual(names(`${await place.convert(layout.tarball([]))}/rootfs`), LEFT);
});

placed("configurations are named by their digest, in Docker's archives of all ages", async (place) => {
  const layout = new Layout();
  const { digest } = layout.add("", imageConfig([ONE]));
  const path = `blobs/${digest.replace(":", "/")}`;
  layout.files.set("manifest.json", Buffer.from(JSON.stringify([{ Config: path, RepoTags: [], Layers: [] }])));
  layout.files.set(path, Buffer.from(JSON.stringify({ ...imageConfig([ONE]), author: "another" })));
  layout.files.delete("oci-layout");
  await place.refusesArchive(layout.tarball([]), /"blobs\/sha256\/\w+": its digest is/);
});

placed("zstd, also with frames to skip and in several frames", async (place, t) => {
  const whole = zstd(ONE.content);
  if (whole === undefined) return t.skip("needs zstd");
  const skipped = Buffer.from("502a4d180500000068656c6c6f", "hex");
  const halves = [ONE.content.subarray(0, 50_000), ONE.content.subarray(50_000)].map((half) => zstd(half) as Buffer);
  const blobs = [whole, zstd(ONE.content, "--ultra", "-22", "--long=27") as Buffer];
  blobs.push(Buffer.concat([skipped, halves[0], skipped, skipped, halves[1], skipped]));
  for (const blob of blobs) {
    const archive = ociArchive([{ content: ONE.content, blob }, TWO]);
    assert.deepEqual(names(`${await place.convert(archive)}/rootfs`), LEFT);
    assert.deepEqual(names(`${await place.convert(zstd(archive) as Buffer)}/rootfs`), LEFT);
  }
});

placed("compressed layers that are damaged or cut short", async (place) => {
  const noise = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i * 7919) >> 5));
  const content = tar([file("f", noise)]);
  const blobs = [gzipSync(content), zstd(content)].filter((blob) => blob !== undefined);
  for (const blob of blobs) {
    const damaged = Buffer.from(blob);
    const middle = blob.length >> 1;
    damaged.fill(0x55, middle, middle + 20);
    // The digests are right: what lies there was damaged before.
    for (const bad of [damaged, blob.subarray(0, middle)])
      await place.refusesArchive(
        ociArchive([{ content, blob: bad }]),
        /^"[^"]*image-\d+.tar": layer 1 \(sha256:[0-9a-f]{64}\): (gzip|zstd) data: /,
      );
    // They are not: that comes first.
    const layout = new Layout();
    const image = layout.addImage([{ content, blob }]);
    layout.files.set(`blobs/sha256/${sha256(blob)}`, damaged);
    await place.refusesArchive(
      layout.tarball([image]),
      /layer 1 \(sha256:\w+\): its content: its digest is sha256:\w+, not/,
    );
  }
});

placed("multi-member gzip", async (place) => {
  const blob = Buffer.concat([gzipSync(ONE.content.subarray(0, 5000)), gzipSync(ONE.content.subarray(5000))]);
  assert.deepEqual(names(`${await place.convert(dockerArchive([{ content: ONE.content, blob }, TWO]))}/rootfs`), LEFT);
});

placed("a tarball cut short, anywhere", async (place) => {
  for (const whole of [dockerArchive([TWO]), ociArchive([TWO])]) {
    for (let length = 0; length < whole.length - 512; length += 256)
      await place.refusesArchive(
        whole.subarray(0, length),
        /^"[^"]*image-\d+\.tar": (cut short|not a tar header|no file|neither)/,
      );
    await place.convert(whole.subarray(0, whole.length - 512));
    place.store.remove(place.store.bundles()[0], true);
  }
});

placed("what is no image", async (place) => {
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(10_240, "text"), /tar header/],
    [tar([]), /neither "oci-layout" nor "manifest.json" is in it/],
    [tar([file("manifest.json", "[")]), /"manifest.json": .*JSON/],
    [tar([file("manifest.json", "[]")]), /it holds no image/],
    [tar([file("manifest.json", "{}")]), /"manifest.json": \$: not an array/],
    [tar([file("manifest.json", '[{"Config":3}]')]), /"manifest.json": \$\[0\].Config: not a string/],
    [tar([file("manifest.json", '[{"Config":"c","Layers":[]}]')]), /no file "c"/],
    [tar([file("manifest.json", `[${" ".repeat(9 << 20)}]`)]), /too long for a document/],
    [tar([file("manifest.json", "[]"), file("./manifest.json", "[]")]), /entry "manifest.json": it is there twice/],
    [tar([symlink("manifest.json", "manifest.json")]), /neither/],
    [tar([file("oci-layout", '{"imageLayoutVersion":"2.0.0"}')]), /"oci-layout": \$.imageLayoutVersion: not "1.0.0"/],
    [tar([file("oci-layout", '{"imageLayoutVersion":"1.0.0"}')]), /no file "index.json"/],
  ];
  for (const [tarball, reason] of cases) await place.refusesArchive(tarball, reason);
  await place.refusesArchive(gzipSync(dockerArchive([TWO])).subarray(0, 300), /gzip data: unexpected end of file/);
});

placed("links between an archive's files", async (place) => {
  const config = JSON.stringify(imageConfig([ONE, TWO]));
  const archive = tar([
    { name: "x/layer.tar", content: ONE.content },
    symlink("1/layer.tar", "../x/layer.tar"),
    link("2/layer.tar", "1/layer.tar"),
    { name: "b.tar", content: TWO.content },
    file("c.json", config),
    file("manifest.json", JSON.stringify([{ Config: "c.json", RepoTags: null, Layers: ["2/layer.tar", "./b.tar"] }])),
  ]);
  assert.deepEqual(names(`${await place.convert(archive)}/rootfs`), LEFT);
});

placed("digests and sizes that are wrong", async (place) => {
  const replaced = (what: (layout: Layout, image: Descriptor) => void): Buffer => {
    const layout = new Layout();
    const image = layout.addImage([ONE, TWO]);
    what(layout, image);
    return layout.tarball([image]);
  };
  const blob = (bytes: Buffer) => `blobs/sha256/${sha256(bytes)}`;
  const other = Buffer.from(TWO.content);
  other[600] ^= 1;
  const cases: [Buffer, RegExp][] = [
    [
      replaced((l) => l.files.set(blob(TWO.blob), other)),
      /: layer 2 \(sha256:\w{64}\): its content: its digest is sha256:\w{64}, not sha256:\w{64}$/,
    ],
    [replaced((l) => l.files.set(blob(TWO.blob), Buffer.concat([TWO.blob, other]))), /its size is \d+ bytes, not \d+/],
    [replaced((l) => l.files.delete(blob(ONE.blob))), /no file "blobs\/sha256\/\w{64}"/],
    [
      replaced((_, image) => Object.assign(image, { size: 3 })),
      /"blobs\/sha256\/\w{64}": its size is \d+ bytes, not 3/,
    ],
    [
      replaced((l, image) => l.files.set(`blobs/${image.digest.replace(":", "/")}`, Buffer.alloc(image.size, " "))),
      /its digest is/,
    ],
    [
      replaced((_, image) => Object.assign(image, { digest: "sha256:../../../etc/passwd" })),
      /\$.manifests\[0\].digest: not a digest/,
    ],
    [replaced((_, image) => Object.assign(image, { digest: "md5:d41d8cd98f00b204e9800998ecf8427e" })), /not a digest/],
    [dockerArchive([plain(TWO.content)], undefined, imageConfig([ONE])), /layer 1 .*its digest is/],
    [dockerArchive([ONE, TWO], undefined, imageConfig([ONE])), /2 layers: the configuration tells of 1/],
    [ociArchive([{ content: ONE.content, blob: gzipSync(TWO.content) }]), /its uncompressed content: its digest is/],
  ];
  for (const [archive, reason] of cases) await place.refusesArchive(archive, reason);
  const config = JSON.stringify(imageConfig([ONE]));
  const manifest = JSON.stringify([{ Config: `${sha256("else")}.json`, RepoTags: [], Layers: ["l"] }]);
  const entries: Entry[] = [
    { name: "l", content: ONE.blob },
    file(`${sha256("else")}.json`, config),
    file("manifest.json", manifest),
  ];
  await place.refusesArchive(tar(entries), /\.json": its digest is/);
});

placed("documents that are a manifest to one program and an index to another", async (place) => {
  const index = "application/vnd.oci.image.index.v1+json";
  const manifest = "application/vnd.oci.image.manifest.v1+json";
  const layout = () => new Layout();
  const cases: [(layout: Layout) => Buffer, RegExp][] = [
    [(l) => l.tarball([l.addImage([ONE], undefined, { manifests: [] })]), /\$.manifests: the document is ambiguous/],
    [(l) => l.tarball([l.addImage([ONE], undefined, { fsLayers: [{}] })]), /\$.fsLayers: the document is ambiguous/],
    [(l) => l.tarball([l.addImage([ONE], undefined, { mediaType: index })]), /\$.mediaType: not application.*manifest/],
    [(l) => l.tarball([l.addIndex([l.addImage([ONE])], { layers: [] })]), /\$.layers: the document is ambiguous/],
    [(l) => l.tarball([l.addIndex([l.addImage([ONE])], { config: {} })]), /\$.config: the document is ambiguous/],
    [
      (l) => l.tarball([l.addIndex([l.addImage([ONE])], { mediaType: manifest })]),
      /\$.mediaType: not application.*index/,
    ],
    [(l) => l.tarball([l.addImage([ONE])], { layers: [] }), /"index.json": \$.layers: the document is ambiguous/],
    [(l) => l.tarball([l.addImage([ONE])], { mediaType: manifest }), /"index.json": \$.mediaType: not an index/],
    [(l) => l.tarball([{ ...l.addImage([ONE]), mediaType: index }]), /\$.mediaType: not application.*index/],
    [
      (l) => l.tarball([{ ...l.addImage([ONE]), mediaType: "text/plain" }]),
      /"text\/plain" is not a manifest's media type/,
    ],
    [
      (l) =>
        l.tarball([l.addImage([ONE], undefined, { config: l.add("application/vnd.cncf.helm.config.v1+json", {}) })]),
      /\$.config.mediaType: not an image's/,
    ],
    [
      (l) =>
        l.tarball([
          l.addImage([], undefined, { layers: [l.add("application/vnd.oci.image.layer.v1.tar+encrypted", ONE.blob)] }),
        ]),
      /\$.layers\[0\].mediaType/,
    ],
  ];
  for (const [make, reason] of cases) await place.refusesArchive(make(layout()), reason);
});

/** A layout with an image for each platform, which has the platform's name as a file. */
function platforms(layout: Layout, all: readonly [architecture: string, variant?: string][]): Descriptor[] {
  return all.map(([architecture, variant]) => {
    const layers = [layer([file(`${architecture}${variant ?? ""}`)])];
    const config = { ...imageConfig(layers), architecture };
    return { ...layout.addImage(layers, config), platform: platform(architecture, variant) };
  });
}

placed("of an image for several platforms that for this machine is taken", async (place) => {
  const all: [string, string?][] = [[OTHER], ["riscv64"], [HOST, "v9"], [HOST], ["s390x"]];
  const nested = new Layout();
  const attestation = {
    ...nested.addImage([TWO]),
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
  };
  const inner = nested.addIndex([attestation, ...platforms(nested, all)]);
  const outer = nested.addIndex([{ ...inner }]);
  const flat = new Layout();
  const archives = [nested.tarball([{ ...outer, ...ref("x") }]), flat.tarball(platforms(flat, all))];
  for (const archive of archives) assert.deepEqual(names(`${await place.convert(archive)}/rootfs`), [".", HOST]);
  assert.deepEqual(place.warnings, []);

  const foreign = new Layout();
  const single = foreign.tarball(platforms(foreign, [[OTHER]]));
  assert.deepEqual(names(`${await place.convert(single)}/rootfs`), [".", OTHER]);
  assert.match(place.warnings[0], new RegExp(`the image is for linux/${OTHER}, this machine is ${HOST}`));
});

placed("of an image for several platforms that for the one asked for", async (place) => {
  const layout = new Layout();
  const archive = layout.tarball(platforms(layout, [[HOST], ["arm", "v6"], ["arm", "v7"], ["riscv64"]]));
  const on = async (text: string) =>
    names(`${await place.convert(archive, "copy", undefined, parsePlatform(text))}/rootfs`);
  assert.deepEqual(await on("linux/riscv64"), [".", "riscv64"]);
  assert.deepEqual(await on("linux/arm/v7"), [".", "armv7"]);
  assert.deepEqual(await on("linux/arm"), [".", "armv6"]);
  await assert.rejects(
    on("linux/arm/v5"),
    /it holds no image for linux\/arm\/v5 \(there are linux\/\w+, linux\/arm\/v6, /,
  );
  await assert.rejects(on("plan9"), /platform "plan9": not of the form "linux\/arm64\/v8"/);
  for (const single of [dockerArchive([ONE]), ociArchive([ONE])])
    await assert.rejects(
      place.convert(single, "copy", undefined, parsePlatform("linux/riscv64")),
      new RegExp(`the image is for linux/${HOST}, not for linux/riscv64`),
    );
});

placed("directories: what was unpacked of each form", async (place) => {
  const layers = [gzip(ONE), TWO, layer([])];
  const forms = { docker: dockerArchive(layers), oci: ociArchive(layers) };
  for (const [form, archive] of Object.entries(forms)) {
    const tarball = place.path(form);
    mkdirSync(tarball);
    assert.equal(spawnSync("tar", ["-C", tarball, "-x"], { input: archive }).status, 0);
    const { stderr } = place.fdbundle("from-tar", form, "-o", `bundle-${form}`, "--store", "copy");
    assert.match(stderr, /^run it by/);
    assert.deepEqual(names(place.path(`bundle-${form}/rootfs`)), LEFT);
    assert.equal(place.fdbundle("rm", `bundle-${form}`).status, 0);
  }
  // Links lead to nothing outside, and what is no file is none.
  const outside = place.write("outside.json", readFileSync(place.path("docker/manifest.json")));
  rmSync(place.path("docker/manifest.json"));
  symlinkSync(outside, place.path("docker/manifest.json"));
  const refused = /^fdbundle: "docker": neither "oci-layout" nor "manifest.json" is in it \(.*\n$/;
  assert.match(place.fdbundle("from-tar", "docker").stderr, refused);
  rmSync(place.path("docker/manifest.json"));
  spawnSync("mkfifo", [place.path("docker/manifest.json")]);
  assert.match(place.fdbundle("from-tar", "docker").stderr, refused);
  rmSync(place.path("oci/blobs/sha256", sha256(TWO.blob)));
  assert.match(place.fdbundle("from-tar", "oci").stderr, /^fdbundle: "oci": no file "blobs\/sha256\/\w+"\n$/);
  place.isClean();
});

placed("a layer that is not distributed with its image", async (place) => {
  const layout = new Layout();
  const foreign = layout.add("application/vnd.oci.image.layer.nondistributable.v1.tar", TWO.blob);
  const own = layout.add("application/vnd.oci.image.layer.v1.tar", ONE.blob);
  const image = layout.addImage([ONE, TWO], undefined, { layers: [own, foreign] });
  assert.deepEqual(names(`${await place.convert(layout.tarball([image]))}/rootfs`), LEFT);
  place.store.remove(place.store.bundles()[0], true);
  layout.files.delete(`blobs/sha256/${sha256(TWO.blob)}`);
  await place.refusesArchive(
    layout.tarball([image]),
    /no file "blobs\/.*" \(the layer is not distributed with its image\)/,
  );
});

placed("no image for this machine", async (place) => {
  const layout = new Layout();
  const archive = layout.tarball(platforms(layout, [[OTHER], ["riscv64"]]));
  await place.refusesArchive(
    archive,
    new RegExp(`no image for linux/${HOST} \\(there are linux/${OTHER}, linux/riscv64\\)`),
  );
  const windows = dockerArchive([TWO], undefined, { ...imageConfig([TWO]), os: "windows" });
  await place.refusesArchive(windows, /the image is for windows\/\w+, not for linux/);
  const deep = new Layout();
  let index = deep.addIndex([deep.addImage([TWO])]);
  for (let i = 0; i < 10; i++) index = deep.addIndex([index]);
  await place.refusesArchive(deep.tarball([index]), /indexes more than 8 levels deep/);
});

placed("--name chooses of several images", async (place) => {
  const layout = new Layout();
  const one = layout.addImage([layer([file("one")])]);
  const two = layout.addImage([layer([file("two")])]);
  const containerd = { annotations: { "io.containerd.image.name": "docker.io/library/two:latest" } };
  const oci = layout.tarball([
    { ...one, ...ref("localhost/one:1") },
    { ...one, ...ref("localhost/uno:1") },
    { ...two, ...containerd },
  ]);
  const configs = [["one"], ["two"]].map(([name]) => JSON.stringify(imageConfig([layer([file(name)])])));
  const manifest = [
    { Config: "1", RepoTags: ["localhost/one:1", "localhost/uno:1"], Layers: ["one.tar"] },
    { Config: "2", RepoTags: ["two:latest"], Layers: ["two.tar"] },
  ];
  const docker = tar([
    { name: "one.tar", content: layer([file("one")]).blob },
    { name: "two.tar", content: layer([file("two")]).blob },
    file("1", configs[0]),
    file("2", configs[1]),
    file("manifest.json", JSON.stringify(manifest)),
  ]);
  for (const archive of [oci, docker]) {
    await place.refusesArchive(
      archive,
      /it holds several images \(--name chooses of "localhost\/one:1", "localhost\/uno:1", ".*two:latest"\)/,
    );
    await place.refusesArchive(
      archive,
      /it holds no image named "three" \(there are "localhost\/one:1"/,
      "copy",
      "three",
    );
    await place.refusesArchive(archive, /no image named "one"/, "copy", "one");
  }
  for (const archive of [oci, docker])
    for (const [name, left] of [
      ["one:1", "one"],
      ["localhost/uno:1", "one"],
      ["two", "two"],
    ])
      assert.deepEqual(names(`${await place.convert(archive, "copy", name)}/rootfs`), [".", left]);
});

/** Runs fdbundle on standard input. */
function fromStdin(place: Place, input: Buffer, stdio: "pipe" | number) {
  const [command, ...first] = FDBUNDLE;
  const args = [...first, "--root", place.path("store"), "from-tar", "-", "--store", "copy"];
  return spawnSync(command, args, {
    cwd: place.directory,
    input: stdio === "pipe" ? input : undefined,
    stdio: [stdio, "pipe", "pipe"],
  });
}

placed("standard input, as a file and as a pipe", async (place) => {
  const archive = gzipSync(dockerArchive([ONE, TWO]));
  const { stderr, stdout } = fromStdin(place, archive, "pipe");
  assert.equal(stderr.toString().split("\n").length, 2);
  assert.deepEqual(names(`${stdout.toString().trim()}/rootfs`), LEFT);
  assert.match(
    fromStdin(place, Buffer.from("no"), "pipe").stderr.toString(),
    /^fdbundle: standard input: cut short after 2 bytes\n$/,
  );
});

placed("an image's names become the bundle's", (place) => {
  const named = (name: string) => dockerArchive([TWO], [name]);
  const cases: [tarball: Buffer, file: string, bundle: string][] = [
    [named("docker.io/library/busybox:1.36"), "a.tar", "busybox"],
    [named("localhost:5000/x/y"), "a.tar", "y"],
    [named("r.example/z@sha256:00"), "a.tar", "z"],
    [ociArchive([TWO], "latest"), "from-file.tar", "from-file"],
    [gzipSync(ociArchive([TWO], "3")), "zipped.tar.gz", "zipped"],
  ];
  for (const [tarball, path, bundle] of cases) {
    const { status, stdout, stderr } = place.fdbundle("from-tar", place.write(path, tarball), "--store=copy");
    assert.deepEqual([status, stdout], [0, `${place.path(bundle)}\n`]);
    assert.equal(stderr, `run it by: fdrunc run -b ${place.path(bundle)} ${bundle}\n`);
    assert.equal(configOf(place.path(bundle)).hostname, bundle);
  }
});

placed("an archive is not read into memory", async (place) => {
  const big = Buffer.alloc(150 << 20, "not much");
  const archive = place.write("big.tar", ociArchive([layer([{ name: "big", content: big }])]));
  const [command, ...first] = FDBUNDLE;
  const script =
    'const fs = require("fs"); process.on("exit", () => fs.writeFileSync("status", fs.readFileSync("/proc/self/status")));';
  const args = [
    "--require",
    place.write("status.cjs", script),
    ...first,
    "--root",
    place.path("store"),
    "from-tar",
    archive,
    "-o",
    "b",
    "--store=copy",
  ];
  const { status } = spawnSync(command, args, { cwd: place.directory });
  assert.equal(status, 0);
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(place.path("status"), "utf8")) as RegExpExecArray;
  assert.ok(Number(peak) < 140 << 10, `${peak} kB`);
});
