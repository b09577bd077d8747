import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Progress } from "../../src/bundle/progress.js";

/** Runs with a clock that stands still but for `pass`, in milliseconds. */
function withClock(run: (pass: (time: number) => void) => void): void {
  let now = 1_000_000;
  const clock = mock.method(Date, "now", () => now);
  try {
    run((time) => {
      now += time;
    });
  } finally {
    clock.mock.restore();
  }
}

test("work of less than a second leaves no trace", () => {
  withClock((pass) => {
    const written: string[] = [];
    const progress = new Progress((text) => written.push(text));
    progress.begin("unpacking", 1 << 20);
    pass(900);
    progress.advance(1 << 19);
    progress.clear();
    assert.deepEqual(written, []);
  });
});

test("longer work is one line, rewritten at times and taken away", () => {
  withClock((pass) => {
    const written: string[] = [];
    const progress = new Progress((text) => written.push(text));
    progress.begin("unpacking layer 1 of 2", 4 << 20);
    pass(1100);
    progress.advance(1 << 20);
    progress.advance(1 << 20);
    pass(150);
    progress.advance(1 << 19);
    progress.begin("unpacking layer 2 of 2", 0);
    pass(150);
    progress.advance(3 << 20);
    progress.clear();
    progress.clear();
    assert.deepEqual(written, [
      "\r\x1b[Kunpacking layer 1 of 2: 1.0 MiB, 25 %",
      "\r\x1b[Kunpacking layer 1 of 2: 2.5 MiB, 62 %",
      "\r\x1b[Kunpacking layer 2 of 2: 3.0 MiB",
      "\r\x1b[K",
    ]);
  });
});

test("without a terminal nothing is written", () => {
  withClock((pass) => {
    const progress = new Progress(undefined);
    progress.begin("unpacking", 10);
    pass(5000);
    progress.advance(5);
    progress.clear();
  });
});
