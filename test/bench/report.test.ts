import assert from "node:assert/strict";
import { test } from "node:test";
import type { Case } from "./cases.js";
import type { Outcome } from "./compare.js";
import { inDocument, table } from "./report.js";
import type { Summary } from "./statistics.js";

const HOW = { date: "2030-01-02", machine: "a machine", runs: 9 };
const RUNTIMES = ["one", "two"].map((name) => ({ name, title: `${name} 1.0`, command: [`/bin/${name}`] }));

const summary = (median: number, low = median, high = median): Summary => ({
  ...{ median, low, high, min: low, max: high, count: 9 },
});

function outcome(title: string, figures: Case["figures"], results: Outcome["results"]): Outcome {
  const prepare = () => () => [];
  return { case: { name: title, title, figures, prepare }, results };
}

test("the table has medians with three digits, intervals where they differ, ratios and reasons", () => {
  const outcomes = [
    outcome(
      "go",
      [
        { title: "time", unit: "ms" },
        { title: "size", unit: "KiB" },
      ],
      [
        [summary(1.2345, 1.1, 1.5), summary(40)],
        [summary(123.45), summary(160, 150, 170)],
      ],
    ),
    outcome("stop", [{ title: "", unit: "" }], [[summary(1)], "cannot stop"]),
  ];
  assert.equal(
    table(HOW, RUNTIMES, outcomes),
    `2030-01-02, a machine; medians (and their 95 % confidence intervals) of 9 runs in turn:

|                |          one 1.0 |       two 1.0 | one : two |
| -------------- | ---------------: | ------------: | --------: |
| go: time (ms)  | 1.23 (1.10–1.50) |           123 |    0.0100 |
| go: size (KiB) |               40 | 160 (150–170) |     0.250 |
| stop           |                1 |             – |         – |

– two 1.0, stop: cannot stop
`,
  );
});

test("a report takes the place of the one before", () => {
  const document = "a\n<!-- Written by: npm run bench -->\nold\n<!-- end of the bench -->\nb\n";
  const changed = inDocument(document, "new\n");
  assert.equal(changed, "a\n<!-- Written by: npm run bench -->\nnew\n\n<!-- end of the bench -->\nb\n");
  assert.equal(inDocument(changed, "new\n"), changed);
  assert.throws(() => inDocument("a\n", "new\n"), /no place/);
});
