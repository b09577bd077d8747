import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { imageConfig, type LayerBytes, Layout, layer, ociArchive, plain, sha256 } from "./archives.js";
import {
  directory,
  type Entry,
  file,
  header,
  link,
  padded,
  paxRecords,
  symlink,
  tar,
  withChecksum,
} from "./tar-writer.js";
import { names } from "./tree.js";

/** What an image does that no honest one would, and what comes of it. */
export interface Attack {
  /** Its layers' entries. @param outside an absolute path to a directory of the host's, with files "f" and "passwd" */
  layers?: (outside: string) => readonly (readonly Entry[])[];
  /** A tarball that is more than layers of entries. */
  archive?: () => Buffer;
  /** The error, where it is refused. */
  refused?: RegExp;
  /** Throws where a root file system is not as it should be; for what is harmless. */
  made?: (root: string) => void;
}

const leaves =
  (...left: string[]) =>
  (root: string) =>
    assert.deepEqual(names(root), [".", ...left.sort()]);
const pax = (records: Record<string, string | Buffer>): Entry => ({ name: "x", pax: records });
const extended = (flag: string, content: Buffer): Entry => ({ name: "x", flag, content });
const sparse = (map: string, size: number, content = ""): Entry => ({
  ...file("x", content),
  pax: { "GNU.sparse.map": map, "GNU.sparse.size": String(size), "GNU.sparse.name": "x" },
});
const raw = (content: Buffer, blob = content) => ociArchive([{ content, blob }]);

/** An image whose config.json-to-be, or manifest, is changed. */
const withConfig = (entries: readonly Entry[], change: object): Buffer => {
  const layers = [layer(entries)];
  return ociArchive(layers, "test/image:1", { ...imageConfig(layers), ...change });
};

/** A docker archive whose list of images is given. */
const docker = (manifest: object, layers: readonly LayerBytes[] = [layer([file("x")])]): Buffer =>
  tar([
    ...layers.map(({ blob }, i): Entry => ({ name: `${i}.tar`, content: blob })),
    file("c.json", JSON.stringify(imageConfig(layers))),
    file("manifest.json", JSON.stringify([{ Config: "c.json", RepoTags: null, Layers: ["0.tar"], ...manifest }])),
  ]);

/** GNU's old header of a sparse file, with a map that never ends. */
function endlessMap(): Buffer {
  const block = header({ name: "x", flag: "S" }, 0);
  block[482] = 1;
  const more = Buffer.alloc(512);
  more[504] = 1;
  return Buffer.concat([withChecksum(block), ...Array.from({ length: 2100 }, () => more)]);
}

const DEEP = "d/".repeat(5000);
const BASE = [directory("d/"), file("d/a", "a"), file("o", "o")];

export const ATTACKS: Readonly<Record<string, Attack>> = {
  // Names that lead out.
  "a name with ..": { layers: () => [[file("../x")]], refused: /entry "\.\.\/x": "\.\." in a name leads out/ },
  "a name with .. behind a directory": { layers: () => [[directory("d/"), file("d/../../x")]], refused: /"\.\." in/ },
  "an absolute name with ..": { layers: () => [[file("/../../x")]], refused: /"\.\." in a name/ },
  "an absolute name": { layers: (outside) => [[file(`${outside}/new`)]], made: (root) => assert.ok(lstatSync(root)) },
  "a long name with ..": { layers: () => [[pax({ path: "../../x" })]], refused: /entry "\.\.\/\.\.\/x"/ },
  "a GNU long name with ..": {
    layers: () => [[{ name: "@LongLink", flag: "L", content: "../../x\0" }, file("y")]],
    refused: /entry "\.\.\/\.\.\/x"/,
  },
  "a name with NUL": { layers: () => [[pax({ path: "x\0y" })]], refused: /its name contains a NUL character/ },

  // Links that lead out.
  "a file below an own link": {
    layers: (outside) => [[symlink("s", outside), file("s/f", "evil")]],
    refused: /entry "s\/f": "s", which it lies below, is a symbolic link by the same layer/,
  },
  "a file below a link below a link": {
    layers: (outside) => [[symlink("a", "b"), symlink("b", outside), file("a/f", "evil")]],
    refused: /"a", which it lies below, is a symbolic link/,
  },
  "a file below a link of a layer before": {
    layers: (outside) => [[symlink("s", outside)], [file("s/f", "evil")]],
    made: (root) => assert.equal(lstatSync(`${root}/s`).isDirectory(), true),
  },
  "a file below a link upwards of a layer before": {
    layers: () => [[symlink("s", "../../../../../outside")], [file("s/f", "evil")]],
    made: leaves("s", "s/f"),
  },
  "a file below a link into /proc": {
    layers: (outside) => [
      [symlink("s", "/proc/self/root"), symlink("c", "/proc/self/cwd")],
      [file(`s${outside}/f`), file("c/f")],
    ],
    made: (root) => assert.equal(existsSync(`${root}/c/f`), true),
  },
  "a file below links in a circle": {
    layers: () => [[symlink("a", "b"), symlink("b", "a")], [file("a/f")]],
    made: leaves("a", "a/f", "b"),
  },
  "a file in place of a link": {
    layers: (outside) => [
      [symlink("s", `${outside}/f`), symlink("t", `${outside}/f`), file("t", "evil")],
      [file("s", "evil")],
    ],
    made: (root) => assert.equal(readFileSync(`${root}/s`, "utf8") + readFileSync(`${root}/t`, "utf8"), "evilevil"),
  },
  "a directory in place of a link": {
    layers: (outside) => [[symlink("s", outside)], [directory("s/", { mode: 0o777 }), file("s/f", "evil")]],
    made: leaves("s", "s/f"),
  },
  "a directory that becomes a link on the way": {
    layers: (outside) => [[directory("d/"), file("d/a"), symlink("d", outside), file("d/f", "evil")]],
    refused: /entry "d\/f": "d", which it lies below, is a symbolic link/,
  },
  "a directory of a layer before that becomes a link on the way": {
    layers: (outside) => [BASE, [file("d/n"), symlink("d", outside), file("d/f", "evil")]],
    refused: /entry "d\/f": "d", which it lies below, is a symbolic link/,
  },
  "a hard link with ..": {
    layers: () => [[link("x", "../../etc/passwd")]],
    refused: /hard link to .*"\.\." in a name/,
  },
  "a hard link to an absolute name": {
    layers: (outside) => [[link("x", `${outside}/f`)]],
    refused: /hard link to .* is no directory/,
  },
  "a hard link below an own link": {
    layers: (outside) => [[symlink("s", outside), link("x", "s/f")]],
    refused: /hard link to "s\/f": "s", which it lies below, is a symbolic link/,
  },
  "a hard link below a link of a layer before": {
    layers: (outside) => [[symlink("s", outside)], [link("x", "s/f")]],
    refused: /hard link to "s\/f": "s" is no directory/,
  },
  "a hard link to a link, and a file in its place": {
    layers: (outside) => [[symlink("s", `${outside}/f`), link("h", "s"), file("h", "evil")]],
    made: (root) => assert.equal(readFileSync(`${root}/h`, "utf8"), "evil"),
  },
  "a hard link to itself": { layers: () => [[link("x", "x")]], refused: /hard link to "x": there is no such file/ },
  "a hard link to a directory": {
    layers: () => [[directory("d/"), link("x", "d")]],
    refused: /hard link to "d": link: operation not permitted/,
  },
  "a hard link to the root": { layers: () => [[link("x", "/")]], refused: /hard link to "\/"/ },
  "a hard link to a name with NUL": {
    layers: () => [[{ name: "x", flag: "1", pax: { linkpath: "a\0b" } }]],
    refused: /NUL character/,
  },
  "a link to a name with NUL": {
    layers: () => [[{ name: "x", flag: "2", pax: { linkpath: "a\0b" } }]],
    refused: /NUL character/,
  },

  // The root itself.
  "a file for a root": { layers: () => [[{ name: "." }]], refused: /entry "\.": it would replace the root directory/ },
  "a link for a root": { layers: () => [[symlink("./", "/")]], refused: /it would replace the root directory/ },
  "a hard link for a root": {
    layers: () => [[file("x"), link("/", "x")]],
    refused: /it would replace the root directory/,
  },
  "a device for a root": {
    layers: () => [[{ name: "/", flag: "3", device: [1, 3] }]],
    refused: /would replace the root/,
  },
  "a file without a name": { layers: () => [[{ name: "" }]], refused: /it would replace the root directory/ },

  // Whiteouts.
  "a whiteout of ..": { layers: () => [BASE, [file(".wh...")]], refused: /a whiteout that names nothing/ },
  "a whiteout of .": { layers: () => [BASE, [file("d/.wh..")]], refused: /a whiteout that names nothing/ },
  "a whiteout of nothing": { layers: () => [BASE, [file(".wh.")]], refused: /a whiteout that names nothing/ },
  "a whiteout with a slash": { layers: () => [BASE, [file(".wh.d/a")]], refused: /it lies below a whiteout/ },
  "a whiteout above the root": { layers: () => [BASE, [file("../.wh.store")]], refused: /"\.\." in a name/ },
  "a whiteout below a link of a layer before": {
    layers: (outside) => [[symlink("s", outside)], [file("s/.wh.f"), file("s/.wh.passwd")]],
    made: (root) => assert.equal(existsSync(`${root}/s/f`), false),
  },
  "an opaque link": {
    layers: (outside) => [[symlink("s", outside), file("s/.wh..wh..opq")]],
    refused: /"s", which it lies below/,
  },
  "an opaque directory below a link of a layer before": {
    layers: (outside) => [[symlink("s", outside)], [file("s/.wh..wh..opq")]],
    made: leaves("s"),
  },
  "an opaque root": { layers: () => [BASE, [file(".wh..wh..opq"), file("n")]], made: leaves("n") },
  "whiteouts that are no files": {
    layers: (outside) => [
      BASE,
      [
        { name: ".wh.o", flag: "5", mode: 0o6777 },
        { name: "d/.wh.a", flag: "4", device: [8, 0], mode: 0o4755 },
        symlink(".wh.none", outside),
        { ...symlink("d/.wh..wh..opq", outside), pax: { "SCHILY.xattr.user.x": "1" } },
      ],
    ],
    made: leaves("d"),
  },
  "names that AUFS kept for itself": {
    layers: (outside) => [
      BASE,
      [symlink(".wh..wh.plnk", outside), file(".wh..wh.plnk/f", "evil"), file("d/.wh..wh.aufs")],
    ],
    made: leaves("d", "d/a", "o"),
  },

  // What an overlay file system takes for its own.
  "a device that is a whiteout": {
    layers: () => [[{ name: "x", flag: "3", device: [0, 0] }]],
    refused: /character device 0:0/,
  },
  "attributes of overlay file systems": {
    layers: () => [
      [...BASE, file("secret", "s")],
      [
        {
          ...directory("d/"),
          pax: { "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y" },
        },
        {
          ...file("o", ""),
          pax: { "SCHILY.xattr.trusted.overlay.metacopy": "", "SCHILY.xattr.trusted.overlay.redirect": "/secret" },
        },
        { ...file("w", ""), pax: { "SCHILY.xattr.trusted.overlay.whiteout": "y" } },
      ],
    ],
    made: (root) => {
      leaves("d", "d/a", "o", "secret", "w")(root);
      assert.equal(readFileSync(`${root}/o`, "utf8"), "");
    },
  },
  "an attribute with NUL in its name": {
    layers: () => [[pax({ "SCHILY.xattr.trusted.overlay.opaque\0x": "y" })]],
    refused: /extended tar header with "SCHILY.xattr.trusted.overlay.opaque\\u0000x"/,
  },

  // What is no file.
  "a device with numbers that none has": {
    layers: () => [[{ name: "x", flag: "4", device: [5000, 1] }]],
    refused: /device number 5000:1/,
  },
  "a device with a negative number": {
    layers: () => [[{ name: "x", flag: "3", device: [1, -3] }]],
    refused: /device number 1:-3/,
  },
  "an owner that is none": { layers: () => [[file("x", "", { uid: -1 })]], refused: /owner -1:0: not ids/ },
  "an owner past 32 bits": { layers: () => [[pax({ gid: "4294967296" })]], refused: /owner 0:4294967296: not ids/ },
  "an entry of another type": { layers: () => [[{ name: "x", flag: "V" }]], refused: /entry "x": unknown type "V"/ },
  "a fifo for a list of users": {
    archive: () =>
      withConfig([directory("etc/"), { name: "etc/passwd", flag: "6" }, { name: "etc/group", flag: "6" }], {}),
    made: leaves("etc", "etc/group", "etc/passwd"),
  },
  "a list of users of the host's": {
    archive: () =>
      withConfig([symlink("etc", "../../../outside"), symlink("outside", "/proc/self/cwd")], {
        config: { User: "evil" },
      }),
    refused: /user "evil": the image's \/etc\/passwd has none of that name/,
  },
  "one name again and again": {
    layers: (outside) => [
      [
        file("x", "1"),
        directory("x/"),
        file("x/y"),
        symlink("x", outside),
        { name: "x", flag: "6" },
        link("z", "x"),
        file("x", "2"),
      ],
    ],
    made: (root) => assert.equal(readFileSync(`${root}/x`, "utf8"), "2"),
  },

  // Numbers and lengths.
  "a component longer than any": {
    layers: () => [[pax({ path: "n".repeat(300) })]],
    refused: /entry "n{256}…": .*file name too long/,
  },
  "a name deeper than any": {
    layers: () => [[pax({ path: `${DEEP}x` })]],
    refused: /entry "[d/]{256}…": its name is 10001 bytes long/,
  },
  "a name of half a mebibyte": {
    layers: () => [[pax({ path: "n".repeat(1 << 19) })]],
    refused: /"n{256}…": its name is 524288 bytes/,
  },
  "a directory a thousand levels deep": {
    layers: () => [[pax({ path: "d/".repeat(1000) })]],
    made: (root) => assert.ok(existsSync(`${root}/d/d/d`)),
  },
  "an extended header of a gibibyte": {
    layers: () => [[{ name: "x", flag: "x", size: 1 << 30 }]],
    refused: /extended tar headers of 1073741824 bytes/,
  },
  "extended headers without an end": {
    layers: () => [Array.from({ length: 20 }, (_, i) => extended("x", paxRecords({ [`k${i}`]: "v".repeat(100_000) })))],
    refused: /extended tar headers of \d{7} bytes/,
  },
  "extended headers for all, without an end": {
    layers: () => [
      Array.from({ length: 20 }, (_, i) => [
        extended("g", paxRecords({ [`k${i}`]: "v".repeat(100_000) })),
        file(`f${i}`),
      ]).flat(),
    ],
    refused: /extended tar headers of \d{7} bytes/,
  },
  "an extended header of lies about its lengths": {
    layers: () => [[extended("x", Buffer.from("99 path=x\n")), file("y")]],
    refused: /header that is malformed/,
  },
  "a size past all bounds": {
    layers: () => [[{ name: "x", size: 2 ** 62 }]],
    refused: /tar header with the size 4611686018427387904/,
  },
  "a size of eight gibibytes that are not there": {
    layers: () => [[{ name: "x", size: 8 * 2 ** 30 - 1 }]],
    refused: /cut short after \d+ bytes/,
  },
  "a negative size": { layers: () => [[{ name: "x", size: -512 }]], refused: /tar header with the size -512/ },
  "a size of more digits than there are": {
    layers: () => [[pax({ size: "9".repeat(30) })]],
    refused: /extended tar header with size/,
  },
  "a negative size in an extended header": {
    layers: () => [[pax({ size: "-1" })]],
    refused: /extended tar header with size "-1"/,
  },
  "a size that leaves a part of the content over": {
    layers: () => [[{ ...file("x", Buffer.alloc(2048, "x")), pax: { size: "3" } }]],
    refused: /tar header with the checksum "x{8}"/,
  },
  "a time before all others": { layers: () => [[file("x", "", { mtime: -(2 ** 40) })]], made: leaves("x") },
  "a map of parts that overlap": {
    layers: () => [[sparse("0,4,2,4", 10, "12345678")]],
    refused: /its sparse map is out of order/,
  },
  "a map of parts past the end": {
    layers: () => [[sparse("8,4", 10, "1234")]],
    refused: /its sparse map does not fit its size/,
  },
  "a map of more than there is": {
    layers: () => [[sparse("0,400", 500, "1234")]],
    refused: /its sparse map does not fit its size/,
  },
  "a map without an end": { archive: () => raw(endlessMap()), refused: /sparse map without an end/ },
  "a map of a million parts that is not there": {
    layers: () => [[{ ...file("x", "999999\n"), pax: { "GNU.sparse.major": "1", "GNU.sparse.realsize": "9" } }]],
    refused: /sparse map longer than its file/,
  },
  "a file of a tebibyte that is all hole": {
    layers: () => [[sparse("0,1", 2 ** 40, "1")]],
    made: (root) => assert.ok(lstatSync(`${root}/x`).blocks < 100),
  },

  // Damage.
  "a wrong checksum": {
    archive: () => {
      const block = header(file("x"), 0);
      block[0] ^= 1;
      return raw(Buffer.concat([block, Buffer.alloc(1024)]));
    },
    refused: /not a tar header: wrong checksum/,
  },
  "a layer cut short": { archive: () => raw(padded(header(file("x"), 2000))), refused: /cut short after 512 bytes/ },
  "rubbish behind gzip data": {
    archive: () => {
      const { content } = layer([file("x")]);
      return raw(content, Buffer.concat([gzipSync(content), Buffer.alloc(600_000, "rubbish")]));
    },
    refused: /gzip data: incorrect header check/,
  },
  "gzip data of zeros without an end": {
    archive: () => {
      const content = Buffer.concat([layer([file("x")]).content, Buffer.alloc(64 << 20)]);
      return raw(content, gzipSync(content));
    },
    made: leaves("x"),
  },
  "gzip data that is none": {
    archive: () =>
      raw(
        layer([file("x")]).content,
        Buffer.concat([Buffer.from("1f8b0800000000000003", "hex"), Buffer.alloc(99, 0xff)]),
      ),
    refused: /gzip data: /,
  },
  "a zstd frame that is none": {
    archive: () =>
      raw(layer([file("x")]).content, Buffer.concat([Buffer.from("28b52ffd", "hex"), Buffer.alloc(99, 0xff)])),
    refused: /zstd data: it is damaged/,
  },
  "a zstd frame that wants two gibibytes of memory": {
    // No single segment, a window descriptor of 2^31, and a block that is not compressed.
    archive: () => raw(layer([file("x")]).content, Buffer.from("28b52ffd00a8190000616263", "hex")),
    refused: /zstd data: it is damaged/,
  },

  // Images that are not what they say.
  "another layer than its digest says": {
    archive: () => {
      const layout = new Layout();
      const image = layout.addImage([layer([file("x")])]);
      layout.files.set(`blobs/sha256/${sha256(layer([file("x")]).blob)}`, layer([file("y")]).blob);
      return layout.tarball([image]);
    },
    refused: /layer 1 \(sha256:\w{64}\): its content: its digest is sha256:\w{64}, not sha256:\w{64}$/,
  },
  "a configuration of other layers": {
    archive: () => ociArchive([layer([file("x")])], "test/image:1", imageConfig([layer([file("y")])])),
    refused: /layer 1 .*: its uncompressed content|layer 1 .*: its content: its digest is/,
  },
  "a configuration of more layers": {
    archive: () =>
      ociArchive([layer([file("x")])], "test/image:1", imageConfig([layer([file("x")]), layer([file("y")])])),
    refused: /1 layers: the configuration tells of 2/,
  },
  "a digest that is a path": {
    archive: () => withConfig([file("x")], { rootfs: { type: "layers", diff_ids: ["sha256:../../../../outside"] } }),
    refused: /\$\.rootfs\.diff_ids\[0\]: not a digest/,
  },
  "a configuration nested a million deep": {
    archive: () => tar([file("manifest.json", "[".repeat(1 << 20))]),
    refused: /"manifest\.json": /,
  },
  "a layer outside of the archive": {
    archive: () => docker({ Layers: ["../../../../../../../../etc/passwd"] }),
    refused: /no file "(\.\.\/)+etc\/passwd"/,
  },
  "a layer that is a link out of the archive": {
    archive: () =>
      tar([symlink("0.tar", "/etc/passwd"), file("manifest.json", '[{"Config":"0.tar","Layers":["0.tar"]}]')]),
    refused: /no file "0\.tar"/,
  },
  "a name with a path upwards": { archive: () => docker({ RepoTags: ["../../x/..:1"] }), made: leaves("x") },
  "a name with what terminals obey": {
    archive: () => docker({ RepoTags: ["x/\u001b[2Jy:1"] }),
    refused: /image name "x\/\\u001b\[2Jy:1": it has characters/,
  },
  "layers without an end": {
    archive: () => {
      const layers = Array.from({ length: 501 }, () => plain(Buffer.alloc(1024)));
      return docker({ Layers: layers.map(() => "0.tar") }, layers);
    },
    refused: /501 layers: more than 500/,
  },
  "a volume in place of the root": {
    archive: () => withConfig([file("x")], { config: { Volumes: { "/x/..": {} } } }),
    refused: /volume "\/x\/\.\.": it would hide the root file system/,
  },
  "a volume that is a link out": {
    archive: () =>
      withConfig([symlink("v", "../../../outside"), symlink("w", "/proc/self/root")], {
        config: { Volumes: { "/v": {}, "/../w": {} } },
      }),
    made: (root) => assert.equal(readlinkSync(`${root}/v`), "../../../outside"),
  },
};
