import assert from "node:assert/strict";
import { test } from "node:test";
import { smallest, summarize } from "./statistics.js";

test("a summary has the median, its confidence interval and the extremes", () => {
  assert.deepEqual(summarize([7]), { median: 7, low: 7, high: 7, min: 7, max: 7, count: 1 });
  assert.equal(summarize([4, 1, 3, 2]).median, 2.5);
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  // The ranks 40 and 61, as tables of the binomial distribution have them.
  assert.deepEqual(summarize(hundred), { median: 50.5, low: 40, high: 61, min: 1, max: 100, count: 100 });
});

test("the smallest number that works is found from above", () => {
  for (const limit of [1, 2, 13, 63, 64]) {
    let tried = 0;
    assert.equal(
      smallest(64, (candidate) => {
        tried++;
        return candidate >= limit;
      }),
      limit,
    );
    assert.ok(tried <= 7, `${tried} tries`);
  }
  assert.equal(
    smallest(64, () => false),
    undefined,
  );
});
