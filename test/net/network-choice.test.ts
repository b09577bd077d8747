import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChoice } from "../../src/net/network-choice.js";

test("networks are chosen by name, or there is another one's or none", () => {
  assert.deepEqual(parseChoice(undefined), { kind: "networks", names: ["bridge"] });
  assert.deepEqual(parseChoice(["front", "back"]), { kind: "networks", names: ["front", "back"] });
  assert.deepEqual(parseChoice(["none"]), { kind: "none" });
  assert.deepEqual(parseChoice(["host"]), { kind: "host" });
  assert.deepEqual(parseChoice(["container:web"]), { kind: "container", id: "web" });
});

test("what is no choice is an error", () => {
  const cases: [values: string[], message: string][] = [
    [["a b"], '--net: "a b": neither none, host, container:ID, nor a name of letters, digits, and _ . -'],
    [["container:"], '--net: "container:": neither none, host, container:ID, nor a name of letters, digits, and _ . -'],
    [["../x"], '--net: "../x": neither none, host, container:ID, nor a name of letters, digits, and _ . -'],
    [["front", "host"], '--net: "host": goes with no other network'],
    [["a", "a"], "--net: a name is there twice"],
  ];
  for (const [values, message] of cases) assert.throws(() => parseChoice(values), { name: "Failure", message });
});
