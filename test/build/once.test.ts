import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../folders.js";

const { once } = await import(join(ROOT, "src/build/once.mjs"));

test("makes what is missing or whose inputs changed, and nothing else", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-once-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [input, output] = ["input", "output"].map((name) => join(directory, name));
  let made = 0;
  const make = (...texts: string[]) => once(output, [input, ...texts], () => writeFileSync(output, `${++made}`));
  writeFileSync(input, "a");

  const steps: [what: string, change: () => void, options: string[], made: number][] = [
    ["it is missing", () => {}, [], 1],
    ["nothing changed", () => {}, [], 1],
    ["a text changed", () => {}, ["-O2"], 2],
    ["a file changed", () => writeFileSync(input, "b"), ["-O2"], 3],
    ["nothing changed again", () => {}, ["-O2"], 3],
    ["it was removed", () => rmSync(output), ["-O2"], 4],
  ];
  for (const [what, change, options, expected] of steps) {
    change();
    await make(...options);
    assert.equal(made, expected, what);
  }
});

test("makes it once for two who ask at the same time, and again after a failure", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-once-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const output = join(directory, "output");
  let made = 0;
  const make = async () => {
    await Promise.resolve();
    writeFileSync(output, `${++made}`);
  };
  await Promise.all([once(output, ["x"], make), once(output, ["x"], make)]);
  assert.equal(made, 1);
  await assert.rejects(
    once(output, ["y"], () => {
      throw new Error("on purpose");
    }),
    /on purpose/,
  );
  await once(output, ["y"], make);
  assert.equal(made, 2);
  for (const expected of [3, 4]) {
    await once(output, ["z"], () => make().then(() => false));
    assert.equal(made, expected);
  }
});
