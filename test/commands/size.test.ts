import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSize } from "../../src/commands/size.js";

test("sizes are numbers with or without a unit", () => {
  const sizes: Record<string, number> = {
    "0": 0,
    "512": 512,
    "512b": 512,
    "1k": 1024,
    "1K": 1024,
    "1 kb": 1024,
    "64m": 64 << 20,
    "64MB": 64 << 20,
    "64MiB": 64 << 20,
    "1.5g": 1.5 * 2 ** 30,
    ".5k": 512,
    "2T": 2 * 2 ** 40,
    "3p": 3 * 2 ** 50,
    "9223372036854774784": 2 ** 63 - 1024,
  };
  for (const [text, size] of Object.entries(sizes)) assert.equal(parseSize(text), size, text);
});

test("what is no size is refused", () => {
  for (const text of [
    "",
    "-1",
    "x",
    "1x",
    "1bb",
    "1kib2",
    "1 k b",
    "1e3",
    "0x10",
    "1.2.3",
    "8192p",
    "99999999999999999999",
  ])
    assert.equal(parseSize(text), undefined, text);
});
