import assert from "node:assert/strict";
import { test } from "node:test";
import { inDocument } from "./table.js";

const parts = [{ title: "an engine 1.0", rows: [{ feature: "run", runc: true, fdrunc: false }] }];
const START = "<!-- Written by: npm run test:engines -- --readme -->\n";

test("the table is put between its comments, also a second time", () => {
  const document = `before\n${START}old\n<!-- end of the engines -->\nafter\n`;
  const once = inDocument(document, parts);
  assert.equal(
    once,
    `before\n${START}| engine        | feature | runc | fdrunc |\n| ------------- | ------- | ---- | ------ |\n` +
      "| an engine 1.0 | run     | yes  | no     |\n\n<!-- end of the engines -->\nafter\n",
  );
  assert.equal(inDocument(once, parts), once);
});

test("a document without the comments is not changed", () => {
  assert.throws(() => inDocument("nothing\n", parts), /there is no place/);
});
