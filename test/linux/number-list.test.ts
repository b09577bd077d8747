import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNumberList } from "../../src/linux/number-list.js";

test("lists of numbers and ranges are bits", () => {
  assert.equal(parseNumberList("0", 64), 1n);
  assert.equal(parseNumberList("0-3,7", 64), 0b1000_1111n);
  assert.equal(parseNumberList(" 2 , 1-1,63", 64), 0b110n | (1n << 63n));
  assert.equal(parseNumberList("1000-1023", 1024), 0xffffffn << 1000n);
});

test("what is no list, or names too large a number, is none", () => {
  for (const list of ["", ",", "0,", "a", "-1", "1-", "3-1", "0x1", "1 2", "1--2", "64", "0-64", "9999999999"])
    assert.equal(parseNumberList(list, 64), undefined, JSON.stringify(list));
});
