import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../src/commands/duration.js";

test("durations are numbers with units, one after the other", () => {
  const durations: Record<string, number> = {
    "0": 0,
    "0s": 0,
    "5s": 5000,
    "300ms": 300,
    "1.5h": 5_400_000,
    "1m30s": 90_000,
    ".5s": 500,
    "1500us": 1.5,
    "20µs": 0.02,
    "1000000ns": 1,
  };
  for (const [text, milliseconds] of Object.entries(durations))
    assert.ok(Math.abs((parseDuration(text) as number) - milliseconds) < 1e-9, text);
});

test("what is no duration is refused", () => {
  for (const text of ["", "5", "s", "-5s", "5 s", "1d", "1s x", "1.2.3s"])
    assert.equal(parseDuration(text), undefined, text);
});
