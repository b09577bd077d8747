import assert from "node:assert/strict";
import { test } from "node:test";
import { inDocument } from "./table.js";

const parts = [{ title: "an engine 1.0", rows: [{ feature: "run", runc: true, fdrunc: false }] }];
const START = "<!-- Written by: npm run test:engines -- --readme -->\n";

test("the table is put between its comments, also a second time", () => {
  const document = `before\n${START}old\n<!-- end of the engines -->\nafter\n`;
  const once = inDocument(document, parts, false);
  assert.equal(
    once,
    `before\n${START}| engine        | feature | runc | fdrunc |\n| ------------- | ------- | ---- | ------ |\n` +
      "| an engine 1.0 | run     | yes  | no     |\n\n<!-- end of the engines -->\nafter\n",
  );
  assert.equal(inDocument(once, parts, false), once);
});

test("rows of other engines stay, if they are to", () => {
  const document = inDocument(`${START}<!-- end of the engines -->\n`, parts, false);
  const others = [{ title: "other 2", rows: [{ feature: "run -i", runc: false, fdrunc: true }] }];
  const both = inDocument(document, others, true);
  assert.deepEqual(
    both
      .split("\n")
      .filter((line) => / (yes|no) +\|$/.test(line))
      .map((line) => line.replace(/ +/g, " ")),
    ["| an engine 1.0 | run | yes | no |", "| other 2 | run -i | no | yes |"],
  );
  assert.equal(inDocument(both, parts, true), both);
  assert.equal(inDocument(both, parts, false), document);
});

test("a document without the comments is not changed", () => {
  assert.throws(() => inDocument("nothing\n", parts, false), /there is no place/);
});
