import assert from "node:assert/strict";
import { test } from "node:test";
import { Builder, text } from "../../src/init/builder.js";
import { viewOf } from "../../src/linux/bytes.js";
import { elf } from "../../src/machine/elf.js";

const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474e551];
const [EXECUTE, WRITE, READ] = [1, 2, 4];

const program = (() => {
  const b = new Builder();
  b.about("write");
  b.call("write", [1, text("hello"), 5]);
  b.buffer("zeros", 100_000);
  return b.finish();
})();

for (const [arch, machine, page] of [
  ["x86_64", 62, 0x1000],
  ["aarch64", 183, 0x10000],
] as const)
  test(`${arch}: an executable whose code cannot be written and whose memory cannot be executed`, () => {
    const file = elf(program, arch, { report: 1, context: -1 }, 1);
    const view = viewOf(file);
    const long = (at: number) => Number(view.getBigUint64(at, true));
    assert.deepEqual([...file.subarray(0, 7)], [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    assert.deepEqual(
      [16, 18].map((at) => view.getUint16(at, true)),
      [2, machine],
    );
    assert.deepEqual(
      [52, 54].map((at) => view.getUint16(at, true)),
      [64, 56],
    );
    assert.equal(long(32), 64);
    const segments = Array.from({ length: view.getUint16(56, true) }, (_, i) => {
      const at = 64 + i * 56;
      const [offset, address, , inFile, inMemory, alignment] = [8, 16, 24, 32, 40, 48].map((field) => long(at + field));
      return {
        type: view.getUint32(at, true),
        flags: view.getUint32(at + 4, true),
        offset,
        address,
        inFile,
        inMemory,
        alignment,
      };
    });
    const loaded = segments.filter(({ type }) => type === PT_LOAD);
    const entry = long(24);
    for (const { flags, offset, address, inFile, inMemory, alignment } of loaded) {
      const runs = (flags & EXECUTE) !== 0;
      assert.equal(flags, READ | (runs ? EXECUTE : WRITE));
      assert.equal(entry >= address && entry < address + inMemory, runs);
      // mmap(2) takes whole pages; a page of a file that is mapped ends where the file does.
      assert.equal(alignment, page);
      assert.equal(address % page, offset % page);
      assert.ok(offset + inFile <= file.length && inFile <= inMemory);
    }
    assert.equal(loaded.filter(({ flags }) => flags & EXECUTE).length, 1);
    const pages = loaded.flatMap(({ address, inMemory }) => [address, address + inMemory]);
    assert.deepEqual(
      pages,
      pages.toSorted((a, b) => a - b),
    );
    const stack = segments.filter(({ type }) => type === PT_GNU_STACK);
    assert.deepEqual(
      stack.map(({ flags }) => flags),
      [READ | WRITE],
    );
  });

test("a program that is larger than its place is refused", () => {
  const b = new Builder();
  b.about("much");
  for (let i = 0; i < 60_000; i++) b.call("close", [i]);
  const program = b.finish();
  // The branches of aarch64 reach over a mebibyte.
  assert.throws(() => elf(program, "aarch64", { report: 1, context: -1 }, 1), {
    name: "Failure",
    message: /60000 steps/,
  });
  assert.ok(elf(program, "x86_64", { report: 1, context: -1 }, 1).length > 1 << 20);
});
