import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { test } from "node:test";
import { fromBytes } from "../../src/bundle/byte-text.js";
import type { TarEntry } from "../../src/bundle/tar-entry.js";
import { TarFeed } from "../../src/bundle/tar-feed.js";
import { dockerArchive, plain } from "./archives.js";
import { placed } from "./place.js";
import { type Entry, file, header, padded, paxRecords, tar, withChecksum } from "./tar-writer.js";

/** What an archive holds: its entries, with their content by offset. */
function parse(archive: Buffer, piece = archive.length): { entry: TarEntry; content: Map<number, string> }[] {
  const found: { entry: TarEntry; content: Map<number, string> }[] = [];
  const feed = new TarFeed({
    entry: (entry) => found.push({ entry, content: new Map() }) > 0,
    content: (bytes, at) => found.at(-1)?.content.set(at, fromBytes(bytes)),
    end: () => {},
  });
  for (let at = 0; at < archive.length; at += piece) feed.write(archive.subarray(at, at + piece));
  feed.end();
  return found;
}

const only = (archive: Buffer) => parse(archive)[0].entry;

test("pieces of any size make the same entries", () => {
  const archive = tar([
    file("a", "x".repeat(1300)),
    { name: "b", content: "y", pax: { path: "p".repeat(300), "SCHILY.xattr.user.x": Buffer.from([0, 255]) } },
    { name: "@", flag: "L", content: `${"n".repeat(700)}\0` },
    file("c"),
  ]);
  const joined = (piece: number) =>
    parse(archive, piece).map(({ entry, content }) => [entry, [...content.values()].join("")]);
  const whole = joined(archive.length);
  assert.deepEqual(
    whole.map(([entry]) => (entry as TarEntry).name.length),
    [1, 300, 700],
  );
  for (const piece of [1, 7, 511, 512, 513, 1000]) assert.deepEqual(joined(piece), whole);
});

test("headers of all kinds", () => {
  const v7 = withChecksum(Buffer.from(header(file("old/"), 0)).fill(0, 257, 265));
  assert.deepEqual([only(v7).name, only(v7).type], ["old/", "directory"]);
  const star = header({ ...file("n"), prefix: "p" }, 0);
  star.write("12345670123", 476);
  star.write("tar\0", 508);
  assert.equal(only(withChecksum(star)).name, "p/n");
  const gnu = header({ ...file("n"), prefix: "14000000000" }, 0);
  gnu.write("ustar  \0", 257, "latin1");
  assert.equal(only(withChecksum(gnu)).name, "n");
  const spaces = header(file("n"), 0);
  spaces.write("   755 \0", 100, "latin1");
  assert.equal(only(withChecksum(spaces)).mode, 0o755);
  const signed = header(file("n\u00ff"), 0);
  const sum = [...signed].reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : (byte << 24) >> 24), 0);
  signed.write(sum.toString(8).padStart(6, "0"), 148);
  assert.equal(only(signed).type, "file");
  assert.equal(only(tar([{ name: "c", flag: "7", content: "x" }])).type, "file");
  // What has no content may state a size all the same.
  assert.deepEqual(
    parse(tar([{ name: "l", flag: "1", target: "t", size: 5000 }, file("f", "1")])).map(({ entry }) => entry.name),
    ["l", "f"],
  );
});

test("extended headers hold for the entries that they should", () => {
  const global: Entry = { name: "g", flag: "g", content: paxRecords({ uid: "5", mtime: "7" }) };
  const entries = parse(tar([file("a"), global, file("b"), { ...file("c"), pax: { uid: "6" } }, file("d")]));
  assert.deepEqual(
    entries.map(({ entry }) => [entry.uid, entry.time.seconds]),
    [
      [0, 1_000_000_000],
      [5, 7],
      [6, 7],
      [5, 7],
    ],
  );
  assert.equal(only(tar([{ ...file("a", "abc"), size: 1, pax: { size: "3" } }])).size, 3);
});

test("what is malformed is refused", () => {
  const broken = header(file("n"), 0);
  broken[0] ^= 1;
  const pax = (content: string | Buffer) => tar([{ name: "x", flag: "x", content }, file("f")]);
  const cases: [Buffer, RegExp][] = [
    [broken, /not a tar header: wrong checksum/],
    [withChecksum(Buffer.from(header(file("n"), 0)).fill("9", 100, 107)), /the mode "9999999"/],
    [tar([{ ...file("n"), size: -5 }]), /the size -5/],
    [tar([{ ...file("n"), size: Number.MAX_SAFE_INTEGER }]), /cut short after/],
    [pax("5 a\n"), /malformed/],
    [pax("99999 a=b\n"), /malformed/],
    [pax("6 a=bc"), /malformed/],
    [pax("x a=b\n"), /malformed/],
    [pax("0 a=b\n"), /malformed/],
    [pax(paxRecords({ size: "-1" })), /with size "-1"/],
    [pax(paxRecords({ size: "99999999999999999999" })), /with size/],
    [pax(paxRecords({ mtime: "soon" })), /with mtime "soon"/],
    [tar([{ name: "x", flag: "x", size: 1 << 30 }]), /extended tar headers of 1073741824 bytes/],
    [tar([{ name: "x", flag: "M" }]), /entry "x": unknown type "M"/],
    [tar([file("f", "abc")]).subarray(0, 514), /cut short after 514 bytes/],
    [tar([file("f", "abc")]).subarray(0, 1000), /cut short after 1000 bytes/],
    [pax(paxRecords({ "GNU.sparse.map": "0,1,2", "GNU.sparse.size": "9" })), /odd number/],
    [pax(paxRecords({ "GNU.sparse.map": "5,1,0,1", "GNU.sparse.size": "9" })), /out of order/],
    [pax(paxRecords({ "GNU.sparse.map": "5,9", "GNU.sparse.size": "9" })), /does not fit/],
    [pax(paxRecords({ "GNU.sparse.numbytes": "5" })), /no offset/],
    [pax(paxRecords({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "5" })), /longer than its file/],
  ];
  for (const [archive, reason] of cases) assert.throws(() => parse(archive), reason);
});

test("what follows the end mark is passed over", () => {
  assert.equal(parse(Buffer.concat([tar([file("a")]), Buffer.from("rubbish")])).length, 1);
  // Some programs leave it out.
  assert.equal(parse(tar([file("a")], Buffer.alloc(0))).length, 1);
  assert.equal(parse(Buffer.concat([padded(header(file("a"), 0)), Buffer.alloc(512)])).length, 1);
});

const FORMATS: Record<string, string[]> = {
  "GNU's": ["--format=gnu"],
  "pax, 0.0": ["--format=pax", "--sparse-version=0.0"],
  "pax, 0.1": ["--format=pax", "--sparse-version=0.1"],
  "pax, 1.0": ["--format=pax", "--sparse-version=1.0"],
};

for (const [name, options] of Object.entries(FORMATS)) {
  placed(`sparse files as GNU tar writes them: ${name}`, async (place, t) => {
    if (!/GNU tar/.test(String(spawnSync("tar", ["--version"]).stdout))) return t.skip("needs GNU tar");
    mkdirSync(place.path("in"));
    // More parts than the old form's header holds, and a hole at the end.
    const fd = openSync(place.path("in/sparse"), "w");
    for (let i = 0; i < 40; i++) writeSync(fd, `part ${i}`.padEnd(4096, "."), i * 65536);
    ftruncateSync(fd, 40 * 65536 + 12345);
    closeSync(fd);
    writeFileSync(place.path("in/hole"), "");
    truncateSync(place.path("in/hole"), 100_000);
    writeFileSync(place.path("in/whole"), "after");
    const args = ["-c", "-S", "--sort=name", ...options, "-C", place.path("in"), "."];
    const { stdout, status } = spawnSync("tar", args, { maxBuffer: 1 << 27 });
    assert.equal(status, 0);
    assert.ok(stdout.length < 400_000);
    const bundle = await place.convert(dockerArchive([plain(stdout)]));
    for (const file of ["sparse", "hole", "whole"])
      assert.ok(readFileSync(`${bundle}/rootfs/${file}`).equals(readFileSync(place.path("in", file))), file);
  });
}
