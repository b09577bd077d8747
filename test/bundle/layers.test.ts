import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { attributesAt } from "../../src/bundle/attributes.js";
import { eachStore } from "./place.js";
import { directory, type Entry, file, link, symlink } from "./tar-writer.js";
import { names, tree } from "./tree.js";

const whiteout = (path: string): Entry => file(path.replace(/([^/]*)$/, ".wh.$1"));
const opaque = (path: string): Entry => file(`${path}/.wh..wh..opq`);

/** A layer of two directories with files, one in the other. */
const BASE = [
  directory("d/"),
  file("d/a", "a"),
  file("d/b", "b"),
  directory("d/e/"),
  file("d/e/c", "c"),
  file("other", "o"),
];

/** Cases of one layer on BASE, or on more: what names are left. */
const CASES: Record<string, { layers: Entry[][]; left: string[] }> = {
  "a whiteout hides a file": {
    layers: [[directory("d/"), whiteout("d/a")]],
    left: ["d", "d/b", "d/e", "d/e/c", "other"],
  },
  "a whiteout hides a directory": { layers: [[directory("d/"), whiteout("d/e")]], left: ["d", "d/a", "d/b", "other"] },
  "a whiteout of a whole tree": { layers: [[whiteout("d")]], left: ["other"] },
  "a whiteout of what is not there": {
    layers: [[whiteout("none"), whiteout("d/none")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other"],
  },
  "a whiteout in a directory that is not there makes the directory": {
    layers: [[whiteout("n/x")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "n", "other"],
  },
  "a whiteout, then the same name as a file": { layers: [[whiteout("d"), file("d", "now")]], left: ["d", "other"] },
  "a file, then a whiteout of the same name": { layers: [[file("d", "now"), whiteout("d")]], left: ["d", "other"] },
  "a whiteout, then the same name as a directory": {
    layers: [[whiteout("d"), directory("d/"), file("d/n")]],
    left: ["d", "d/n", "other"],
  },
  "a directory, then a whiteout of the same name": {
    layers: [[directory("d/"), file("d/n"), whiteout("d")]],
    left: ["d", "d/n", "other"],
  },
  "a whiteout and a file below the same name": { layers: [[whiteout("d"), file("d/n")]], left: ["d", "d/n", "other"] },
  "an opaque directory, told first": {
    layers: [[directory("d/"), opaque("d"), file("d/n")]],
    left: ["d", "d/n", "other"],
  },
  "an opaque directory, told last": {
    layers: [[directory("d/"), file("d/n"), file("d/a"), opaque("d")]],
    left: ["d", "d/a", "d/n", "other"],
  },
  "an opaque directory with a part that has entries": {
    layers: [[file("d/e/n"), opaque("d")]],
    left: ["d", "d/e", "d/e/n", "other"],
  },
  "an opaque directory without an entry of its own": { layers: [[opaque("d")]], left: ["d", "other"] },
  "an opaque directory where there is none": {
    layers: [[opaque("n/m")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "n", "n/m", "other"],
  },
  "an opaque directory in place of a file": {
    layers: [[opaque("other")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other"],
  },
  "a whiteout in an opaque directory": {
    layers: [[opaque("d"), whiteout("d/a"), whiteout("d/none"), file("d/n")]],
    left: ["d", "d/n", "other"],
  },
  "a whiteout of an own file in an opaque directory": {
    layers: [[opaque("d"), file("d/a"), whiteout("d/a")]],
    left: ["d", "d/a", "other"],
  },
  "an opaque root": { layers: [[file("n"), file(".wh..wh..opq")]], left: ["n"] },
  "what was hidden comes back": { layers: [[whiteout("d")], [file("d/a")]], left: ["d", "d/a", "other"] },
  "a whiteout of what a middle layer added": {
    layers: [[file("d/n")], [whiteout("d/n")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other"],
  },
  "an opaque directory over a middle layer": {
    layers: [[file("d/n")], [opaque("d"), file("d/m")], [file("d/k")]],
    left: ["d", "d/k", "d/m", "other"],
  },
  "a file in place of a directory": { layers: [[file("d", "now")]], left: ["d", "other"] },
  "a directory in place of a file": {
    layers: [[directory("other/"), file("other/n")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other", "other/n"],
  },
  "a directory in place of a file, implied": {
    layers: [[file("other/n")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other", "other/n"],
  },
  "a link in place of a directory": { layers: [[symlink("d", "other")]], left: ["d", "other"] },
  "a directory in place of a link": {
    layers: [[symlink("d", "other")], [directory("d/"), file("d/n")]],
    left: ["d", "d/n", "other"],
  },
  "what AUFS kept for itself": {
    layers: [[directory(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs")]],
    left: ["d", "d/a", "d/b", "d/e", "d/e/c", "other"],
  },
};

for (const [name, { layers, left }] of Object.entries(CASES)) {
  eachStore(name, async (place, kind) => {
    assert.deepEqual(names(await place.unpack([BASE, ...layers], kind)), [".", ...left]);
  });
}

eachStore("whiteouts that name nothing are refused", async (place, kind) => {
  for (const name of [".wh.", "d/.wh.", ".wh..", ".wh..."])
    await place.refuses(
      [BASE, [file(name)]],
      kind,
      /layer 2 \(sha256:[0-9a-f]{64}\): entry "[^"]*": a whiteout that names nothing/,
    );
  await place.refuses([BASE, [file(".wh.d/a")]], kind, /entry ".wh.d\/a": it lies below a whiteout/);
});

eachStore("no name leads out of the root", async (place, kind) => {
  const outside = place.path("outside");
  mkdirSync(outside);
  const cases: [entries: Entry[], reason: RegExp][] = [
    [[file("../../etc/x")], /entry "\.\.\/\.\.\/etc\/x": "\.\." in a name/],
    [[file("d/../../x")], /"\.\."/],
    [[directory("d/..")], /"\.\."/],
    [[link("x", "../../etc/passwd")], /entry "x": hard link to "..\/..\/etc\/passwd": "\.\." in a name/],
    [[link("x", "/etc/passwd")], /entry "x": hard link to "\/etc\/passwd": "etc" is no directory/],
    [
      [symlink("s", outside), file("s/x")],
      /entry "s\/x": "s", which it lies below, is a symbolic link by the same layer/,
    ],
    [[symlink("s", "/etc"), file("s/x")], /entry "s\/x"/],
    [[symlink("s", "../../.."), file("s/tmp/x")], /entry "s\/tmp\/x": "s"/],
    [[symlink("s", outside), link("x", "s/y")], /entry "x": hard link to "s\/y": "s"/],
    [[symlink("s", outside), file("s/.wh.x")], /entry "s\/.wh.x": "s"/],
    [[symlink("s", outside), file("s/.wh..wh..opq")], /entry "s\/.wh..wh..opq": "s"/],
    [[symlink("./", outside)], /entry ".\/": it would replace the root directory/],
    [[symlink("/", outside)], /it would replace the root directory/],
    [[file("."), directory("etc/")], /it would replace the root directory/],
    [[{ name: "./", flag: "3", device: [1, 3] }], /it would replace the root directory/],
    [[file("f"), file("f/x")], /entry "f\/x": "f", which it lies below, is no directory by the same layer/],
    [[{ name: "a", pax: { path: "../x" } }], /"\.\."/],
    [[{ name: "a", pax: { path: "b\0c" } }], /NUL/],
    [[link("x", "x")], /hard link to "x": there is no such file/],
    [[directory("k/"), link("x", "k")], /hard link to "k": link: operation not permitted \(EPERM\)/],
    [[{ name: "w", flag: "3", device: [0, 0] }], /entry "w": character device 0:0/],
    [[{ name: "w", flag: "3", device: [99999, 0] }], /entry "w": device number 99999:0/],
    [[file("o", "", { uid: 2 ** 32 - 1 })], /entry "o": owner 4294967295:0/],
    [[file("o", "", { gid: -5 })], /entry "o": owner 0:-5/],
    [[symlink("s", "")], /entry "s": symlink: no such file/],
    [[{ name: "q", flag: "Q" }], /entry "q": unknown type "Q"/],
  ];
  for (const [entries, reason] of cases) await place.refuses([entries], kind, reason);
  assert.deepEqual(names(outside), ["."]);
});

eachStore("a file below a link of a layer before lands inside the root", async (place, kind) => {
  const canary = place.path("canary");
  mkdirSync(canary);
  writeFileSync(`${canary}/f`, "host");
  const below = [
    directory("usr/"),
    directory("usr/bin/"),
    symlink("bin", "usr/bin"),
    directory("run/"),
    directory("var/"),
    symlink("var/run", "/run"),
    symlink("up", "../../../../../usr"),
    symlink("out", canary),
    symlink("proc", "/proc/self/root"),
  ];
  const root = await place.unpack(
    [
      below,
      [
        file("bin/x"),
        file("var/run/ko/x"),
        file("up/y"),
        file("out/f", "image"),
        file("proc/z"),
        link("bin/l", "up/y"),
      ],
    ],
    kind,
  );
  assert.equal(readlinkSync(`${root}/bin`), "usr/bin");
  for (const name of ["usr/bin/x", "run/ko/x", "usr/y", "usr/bin/l"]) assert.ok(existsSync(`${root}/${name}`), name);
  assert.equal(lstatSync(`${root}/usr/y`).nlink, 2);
  // Links to nowhere inside the root gave way to directories.
  assert.equal(readFileSync(`${root}/out/f`, "utf8"), "image");
  assert.ok(existsSync(`${root}/proc/z`));
  assert.equal(readFileSync(`${canary}/f`, "utf8"), "host");
});

eachStore("a whiteout of a link hides the link, not what it names", async (place, kind) => {
  const root = await place.unpack(
    [
      [...BASE, symlink("s", "d")],
      [whiteout("s"), file("d/n")],
    ],
    kind,
  );
  assert.deepEqual(names(root), [".", "d", "d/a", "d/b", "d/e", "d/e/c", "d/n", "other"]);
});

eachStore("absolute names and names with dots are below the root", async (place, kind) => {
  const root = await place.unpack([[file("/a"), file("./b"), file("c//./d"), link("e", "/a")]], kind);
  assert.deepEqual(names(root), [".", "a", "b", "c", "c/d", "e"]);
});

eachStore("hard links, also to files of layers below", async (place, kind) => {
  const base = [file("a", "content", { uid: 3, gid: 4, mode: 0o4711, mtime: 1234 }), link("b", "a"), symlink("s", "a")];
  const root = await place.unpack([base, [link("d/c", "b"), link("t", "s")]], kind);
  const { content, links, ...rest } = tree(root)["d/c"];
  assert.deepEqual(rest, { mode: "104711", owner: "3:4", mtime: 1234_000000000n, attributes: {} });
  assert.equal(lstatSync(`${root}/b`).ino, lstatSync(`${root}/d/c`).ino);
  assert.ok(Number(links) >= 2);
  assert.equal(readlinkSync(`${root}/t`), "a");
});

eachStore("files changed in a layer leave their other names as they were", async (place, kind) => {
  const root = await place.unpack([[file("a", "old"), link("b", "a")], [file("a", "new")]], kind);
  assert.deepEqual([readFileSync(`${root}/a`, "utf8"), readFileSync(`${root}/b`, "utf8")], ["new", "old"]);
});

eachStore("owners, modes and times", async (place, kind) => {
  const root = await place.unpack(
    [
      [
        directory("./", { mode: 0o700, uid: 7, gid: 8, mtime: 11 }),
        directory("sticky/", { mode: 0o1777, mtime: 12 }),
        file("sticky/setuid", "x", { mode: 0o6755, uid: 5, gid: 6, mtime: 13 }),
        { ...symlink("sticky/link", "setuid"), uid: 9, gid: 10, mtime: 14 },
        { name: "null", flag: "3", device: [1, 3], mode: 0o666, mtime: 15 },
        { name: "disk", flag: "4", device: [259, 300], mode: 0o660, gid: 6 },
        { name: "fifo", flag: "6", mode: 0o600, uid: 3 },
        file("big", "", { uid: 3_000_000_000, gid: 4_000_000_000 }),
        { name: "pax", pax: { uid: "3000000001", gid: "77", mtime: "1600000000.123456789" } },
        { name: "early", pax: { mtime: "-1.5" } },
        file("octal", "", { mtime: -100 }),
      ],
    ],
    kind,
  );
  const nodes = tree(root);
  const brief = Object.fromEntries(
    Object.entries(nodes).map(([name, { mode, owner, mtime, content }]) => [name, [mode, owner, mtime, content]]),
  );
  const empty = "0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const x = "1 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
  const second = 1_000_000_000n;
  const usual = 1_000_000_000n * second;
  assert.deepEqual(brief, {
    ".": ["40700", "7:8", 11n * second, undefined],
    big: ["100644", "3000000000:4000000000", usual, empty],
    disk: ["60660", "0:6", usual, "259:300"],
    early: ["100644", "0:0", -1_500_000_000n, empty],
    fifo: ["10600", "3:0", usual, "0:0"],
    null: ["20666", "0:0", 15n * second, "1:3"],
    octal: ["100644", "0:0", -100n * second, empty],
    pax: ["100644", "3000000001:77", 1_600_000_000_123_456_789n, empty],
    sticky: ["41777", "0:0", 12n * second, undefined],
    "sticky/link": ["120777", "9:10", 14n * second, "setuid"],
    "sticky/setuid": ["106755", "5:6", 13n * second, x],
  });
});

eachStore("a directory that a layer does not name keeps what it has, its time too", async (place, kind) => {
  const attributes = { "SCHILY.xattr.user.k": "v" };
  const base = [
    directory("./", { uid: 9, mtime: 8 }),
    directory("d/", { uid: 3, mode: 0o2750, mtime: 99, pax: attributes }),
    file("d/gone"),
  ];
  const root = await place.unpack([base, [file("d/n"), whiteout("d/gone")]], kind);
  const { d, ".": top } = tree(root);
  assert.deepEqual(d, { mode: "42750", owner: "3:0", mtime: 99_000000000n, attributes: { "user.k": "76" } });
  assert.deepEqual([top.owner, top.mtime], ["9:0", 8_000000000n]);
});

eachStore("extended attributes, whatever bytes they hold", async (place, kind) => {
  const capability = Buffer.from("0100000200200080000000000000000000000000", "hex");
  const pax = {
    "SCHILY.xattr.user.binary": Buffer.from([0xff, 0, 0x0a, 0x3d, 0x80]),
    "SCHILY.xattr.user.empty": "",
    "SCHILY.xattr.trusted.t": "x",
    "SCHILY.xattr.security.capability": capability,
    "SCHILY.xattr.security.selinux": "of another host",
  };
  const base = [file("f", "f", { pax, uid: 1 }), directory("d/", { pax: { "SCHILY.xattr.user.old": "1" } })];
  const root = await place.unpack([base, [directory("d/", { pax: { "SCHILY.xattr.user.new": "2" } })]], kind);
  const nodes = tree(root);
  assert.deepEqual(nodes.f.attributes, {
    "security.capability": capability.toString("hex"),
    "trusted.t": "78",
    "user.binary": "ff000a3d80",
    "user.empty": "",
  });
  assert.deepEqual(nodes.d.attributes, { "user.new": "32" });
  assert.deepEqual(place.warnings, []);
});

eachStore("an extended attribute that the file system does not know is told of", async (place, kind) => {
  const pax = { "SCHILY.xattr.nonsense.x": "1" };
  await place.unpack([[file("f", "f", { pax }), file("g", "g", { pax })]], kind);
  assert.equal(place.warnings.length, 1);
  assert.match(place.warnings[0], /layer 1 .*: extended attribute "nonsense.x" is left out/);
});

eachStore("an image cannot make what overlay file systems take for their own", async (place, kind) => {
  const pax = { "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc" };
  const root = await place.unpack([BASE, [directory("d/", { pax }), file("d/n")]], kind);
  assert.deepEqual(names(root), [".", "d", "d/a", "d/b", "d/e", "d/e/c", "d/n", "other"]);
  const shown = attributesAt(Buffer.from(`${root}/d`))
    .get("trusted.overlay.opaque")
    ?.toString();
  assert.ok(shown === "y" || place.warnings.some((warning) => warning.includes("trusted.overlay.opaque")));
});

eachStore("names that are no text, and long ones", async (place, kind) => {
  const long = `${"l".repeat(200)}/${"m".repeat(200)}`;
  const root = await place.unpack(
    [
      [
        { name: Buffer.from([0x66, 0xff, 0xfe]), content: "x" },
        { name: "short", pax: { path: long } },
        { name: "link", flag: "2", pax: { linkpath: long } },
        { name: "@LongLink", flag: "L", content: `${"g".repeat(150)}\0` },
        { name: "@LongLink", flag: "K", content: `${"t".repeat(150)}\0` },
        { name: "cut", flag: "2", target: "cut" },
        { name: "tail", prefix: "p/q" },
        file("ünï", ""),
      ],
    ],
    kind,
  );
  assert.deepEqual(
    new Set(names(root)),
    new Set([
      ".",
      "f\xff\xfe",
      "l".repeat(200),
      long,
      "link",
      "g".repeat(150),
      "p",
      "p/q",
      "p/q/tail",
      Buffer.from("ünï").toString("latin1"),
    ]),
  );
  assert.equal(readlinkSync(`${root}/link`), long);
  assert.equal(readlinkSync(`${root}/${"g".repeat(150)}`), "t".repeat(150));
  // A later layer finds the same names.
  const raw = Buffer.from([0x66, 0xff, 0xfe]);
  const hidden = await place.unpack([[{ name: raw }], [{ name: Buffer.concat([Buffer.from(".wh."), raw]) }]], kind);
  assert.deepEqual(names(hidden), ["."]);
});

eachStore("a name that is there twice in a layer is what came last", async (place, kind) => {
  const root = await place.unpack(
    [[file("a", "1"), link("b", "a"), file("a", "2"), directory("a/"), symlink("a", "b"), file("a", "3")]],
    kind,
  );
  assert.deepEqual([readFileSync(`${root}/a`, "utf8"), readFileSync(`${root}/b`, "utf8")], ["3", "1"]);
});

eachStore("more layers than a page of mount options holds", async (place, kind) => {
  const layers = Array.from({ length: 130 }, (_, i) => [
    file(`f${i}`, String(i)),
    ...(i > 0 ? [whiteout(`f${i - 1}`)] : []),
  ]);
  assert.deepEqual(names(await place.unpack(layers, kind)), [".", "f129"]);
});

eachStore("an image without layers", async (place, kind) => {
  assert.deepEqual(names(await place.unpack([], kind)), ["."]);
});

eachStore("the root directory of the host's own links is not looked at", async (place, kind) => {
  symlinkSync("/etc", place.path("decoy"));
  const root = await place.unpack([[symlink("decoy", place.path("decoy"))], [file("decoy/hostname", "image")]], kind);
  assert.equal(readFileSync(`${root}/decoy/hostname`, "utf8"), "image");
});
