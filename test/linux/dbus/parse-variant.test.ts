import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVariant } from "../../../src/linux/dbus/parse-variant.js";
import type { Value } from "../../../src/linux/dbus/value.js";

/** Texts, and what they stand for: as g_variant_parse() reads them. */
const VALUES: [text: string, signature: string, value: Value][] = [
  ["true", "b", true],
  ["false", "b", false],
  ["5", "i", 5],
  ["-0x10", "i", -16],
  ["1.5", "d", 1.5],
  ["1e3", "d", 1000],
  ["2.5e-1", "d", 0.25],
  ["byte 255", "y", 255],
  ["int16 -32768", "n", -32768],
  ["uint16 65535", "q", 65535],
  ["uint32 4294967295", "u", 4294967295],
  ["int64 -9223372036854775808", "x", -9223372036854775808n],
  ["uint64 18446744073709551615", "t", 18446744073709551615n],
  ["double 5", "d", 5],
  ["@t 5", "t", 5n],
  ["'text'", "s", "text"],
  [`"it's"`, "s", "it's"],
  [`'a\\'b\\n\\\\\\u00fc'`, "s", "a'b\n\\ü"],
  ["objectpath '/a'", "o", "/a"],
  ["b'ab'", "ay", [97, 98, 0]],
  ["['a', 'b']", "as", ["a", "b"]],
  ["@as []", "as", []],
  ["[uint32 1, 2]", "au", [1, 2]],
  ["@ay [1,2]", "ay", [1, 2]],
  ["[[1], [2, 3]]", "aai", [[1], [2, 3]]],
  ["('a', uint64 5)", "(st)", ["a", 5n]],
  ["@a(st) [('/dev/sda', 5)]", "a(st)", [["/dev/sda", 5n]]],
  ["  [ true , false ]  ", "ab", [true, false]],
];

for (const [text, signature, value] of VALUES)
  test(`${text} is ${signature}`, () => assert.deepEqual(parseVariant(text), { signature, value }));

const WRONG: [text: string, message: RegExp][] = [
  ["", /unexpected the end, expected a value/],
  ["'open", /unexpected "'open"/],
  ["true false", /unexpected "false", expected the end/],
  ["[1, 'a']", /"'a'" is not of type "i"/],
  ["[1 2]", /unexpected "2\]", expected "," or "\]"/],
  ["[]", /\[\] needs a type/],
  ["byte 256", /256 is too large for type "y"/],
  ["uint32 -1", /-1 is too large for type "u"/],
  ["2147483648", /too large for type "i"/],
  ["uint64 1.5", /"1.5" is not of type "t"/],
  ["word", /"word" is not of type "d"/],
  ["nonsense 5", /"nonsense" is not the name of a type/],
  ["@z 5", /no D-Bus signature/],
  ["@as true", /"true" is not of type "as"/],
  ["@(st) ('a')", /is not of type "\(st\)"/],
];

for (const [text, message] of WRONG)
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseVariant(text), message));
