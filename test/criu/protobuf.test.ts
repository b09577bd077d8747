import assert from "node:assert/strict";
import { test } from "node:test";
import { REQUEST, RESPONSE } from "../../src/criu/messages.js";
import { decode, encode, type Message } from "../../src/criu/protobuf.js";

/** The example of protobuf.dev, "Encoding", and each kind of field. */
const EXAMPLE = {
  a: [1, "number"],
  b: [2, "text"],
  c: [3, { a: [1, "number"] }],
  d: [20, "boolean"],
} as const satisfies Message;

test("messages are written as the encoding's own examples", () => {
  assert.deepEqual([...encode(EXAMPLE, { a: 150 })], [0x08, 0x96, 0x01]);
  assert.deepEqual([...encode(EXAMPLE, { b: "testing" })], [0x12, 0x07, ...Buffer.from("testing")]);
  assert.deepEqual([...encode(EXAMPLE, { c: { a: 150 } })], [0x1a, 0x03, 0x08, 0x96, 0x01]);
  assert.deepEqual([...encode(EXAMPLE, { d: true })], [0xa0, 0x01, 0x01]);
  assert.deepEqual([...encode(EXAMPLE, { b: ["x", "y"], a: undefined })], [0x12, 1, 0x78, 0x12, 1, 0x79]);
  assert.deepEqual([...encode(EXAMPLE, { a: 0x40000000 })], [0x08, 0x80, 0x80, 0x80, 0x80, 0x04]);
});

test("what is written is read", () => {
  const content = { a: 1, b: "é".repeat(100), c: { a: 0xffffffff }, d: false };
  assert.deepEqual(decode(EXAMPLE, encode(EXAMPLE, content)), content);
});

test("numbers below zero and unknown fields are read", () => {
  const negative = [0x08, ...Array(9).fill(0xff), 0x01];
  assert.deepEqual(decode(EXAMPLE, new Uint8Array([...negative, 0x78, 5, 0x72, 2, 1, 2])), { a: -1 });
});

test("what is no message is an error", () => {
  for (const bytes of [[0x08], [0x12, 5, 1], [0x0d, 1, 2, 3, 4], Array(12).fill(0xff)])
    assert.throws(() => decode(EXAMPLE, new Uint8Array(bytes)), RangeError);
});

test("criu's messages have no number twice", () => {
  const check = (message: Message) => {
    const numbers = Object.values(message).map(([number]) => number);
    assert.equal(new Set(numbers).size, numbers.length);
    for (const [, holds] of Object.values(message)) if (typeof holds === "object") check(holds);
  };
  check(REQUEST);
  check(RESPONSE);
});
