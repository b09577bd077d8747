import assert from "node:assert/strict";
import { test } from "node:test";
import { marshal } from "../../../src/linux/dbus/marshal.js";
import { decodeMessage, encodeMessage, lengthOf, TYPES } from "../../../src/linux/dbus/message.js";
import { unmarshal } from "../../../src/linux/dbus/unmarshal.js";
import { typesOf, type Value } from "../../../src/linux/dbus/value.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Values and their bytes, by the D-Bus Specification, "Marshaling". */
const CASES: [signature: string, values: Value[], bytes: string][] = [
  ["y", [255], "ff"],
  ["b", [true], "01000000"],
  ["nq", [-2, 65534], "feff feff"],
  ["yi", [1, -1], "01000000 ffffffff"],
  ["u", [0xfffffffe], "feffffff"],
  ["yx", [1, -2n], "0100000000000000 feffffffffffffff"],
  ["t", [0xffff_ffff_ffff_ffffn], "ffffffffffffffff"],
  ["d", [1.5], "000000000000f83f"],
  ["s", ["foo"], "03000000 666f6f00"],
  ["s", ["ü"], "02000000 c3bc00"],
  ["o", ["/"], "01000000 2f00"],
  ["g", ["ai"], "02 616900"],
  ["ay", [[1, 2, 3]], "03000000 010203"],
  ["au", [[7]], "04000000 07000000"],
  // The length does not count what aligns the first item, which is there without one, too.
  ["at", [[5n]], "08000000 00000000 0500000000000000"],
  ["at", [[]], "00000000 00000000"],
  ["as", [["a", "b"]], "0e000000 01000000 61000000 01000000 6200"],
  ["(ys)", [[1, "x"]], "01000000 01000000 7800"],
  ["a{yu}", [[[1, 2]]], "08000000 00000000 01000000 02000000"],
  ["v", [{ signature: "u", value: 9 }], "01 7500 00 09000000"],
  ["a(sv)", [[["a", { signature: "b", value: false }]]], "10000000 00000000 01000000 6100 01 6200 000000 00000000"],
];

for (const [signature, values, bytes] of CASES) {
  test(`${signature} of ${JSON.stringify(values, (_, v) => (typeof v === "bigint" ? String(v) : v))}`, () => {
    const expected = bytes.replaceAll(" ", "");
    assert.equal(hex(marshal(signature, values)), expected);
    assert.deepEqual(unmarshal(signature, Buffer.from(expected, "hex")), values);
  });
}

test("numbers may stand for 64-bit integers, and what is long is written whole", () => {
  assert.deepEqual(unmarshal("xt", marshal("xt", [-5, 6])), [-5n, 6n]);
  const long = "x".repeat(5000);
  assert.deepEqual(unmarshal("as", marshal("as", [[long, long]])), [[long, long]]);
  const many = Array.from({ length: 5000 }, (_, i) => i % 256);
  for (const type of ["ay", "au", "at"])
    assert.deepEqual(
      unmarshal(type, marshal(type, [many]))
        .flat()
        .map(Number),
      many,
    );
});

test("signatures are taken apart; what is none is refused", () => {
  assert.deepEqual(typesOf("sa(sa{sv})aayu"), ["s", "a(sa{sv})", "aay", "u"]);
  assert.deepEqual(typesOf(""), []);
  for (const wrong of ["a", "z", "(s", "s)", "a{sv", "()("]) assert.throws(() => typesOf(wrong), RangeError, wrong);
});

test("a message is read back as it was written, and its length is told by its beginning", () => {
  const message = {
    ...{ type: TYPES.call, serial: 7, path: "/a", interface: "a.b", member: "C", destination: "d.e" },
    ...{ signature: "sv", body: ["x", { signature: "ay", value: [1, 2] }] },
  };
  const bytes = encodeMessage(message);
  assert.equal(lengthOf(bytes.subarray(0, 16)), bytes.length);
  assert.deepEqual(decodeMessage(bytes), message);
});

test("a message that is cut short or of another format is refused", () => {
  const bytes = encodeMessage({ type: TYPES.signal, serial: 1, member: "X", signature: "s", body: ["text"] });
  assert.throws(() => decodeMessage(bytes.subarray(0, bytes.length - 3)), /shorter than its contents/);
  assert.throws(() => decodeMessage(Uint8Array.from([0x42, ...bytes.subarray(1)])), /unknown format/);
});
