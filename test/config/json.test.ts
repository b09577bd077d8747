import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatJson, JsonError, parseJson } from "../../src/config/json.js";
import { ROOT } from "../folders.js";

test("parses what JSON.parse parses to the same", () => {
  const texts = [
    "null",
    " [ ] ",
    "{ }",
    '{"a":{"b":[1,-2,3.5,-0,1e3,2E-2,0.1e+1,true,false,null,"x"]}}',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud83d"',
    '"é😀\u007f\u2028"',
    '"\\\\"',
    '"\\\\\\""',
    '{"a":1,"a":2}',
    '{"__proto__":{"x":1},"constructor":2,"":3}',
    "1e400",
    "123456789012345678901234567890.5",
    "\t\n\r [1 , 2]\n",
  ];
  for (const file of readdirSync(join(ROOT, "spec"))) texts.push(readFileSync(join(ROOT, "spec", file), "utf8"));
  for (const text of texts) {
    if (/\d{16,}(?!\d*\.)/.test(text)) continue;
    assert.deepEqual(parseJson(text), JSON.parse(text), text);
  }
});

test("refuses what JSON.parse refuses", () => {
  const texts =
    '[1,]|{,}|{\'a\':1}|{a:1}|01|+1|.5|1.|1e|-|--1|0x1|NaN|tru|nulll|[1 2]|{"a" 1}|{"a":}|"\\x"|"\\u12g4"|"|"\\"|[|{|["a|// x\n1|1 /**/|\u00a01|"a\tb"|[1}|}|]|,';
  for (const text of ["", " ", "\ufeff1", ...texts.split("|")]) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.throws(() => parseJson(text), JsonError, text);
  }
});

test("integers keep all their digits", () => {
  assert.deepEqual(parseJson("[18446744073709551615, -9223372036854775808, 9007199254740992]"), [
    18446744073709551615n,
    -9223372036854775808n,
    9007199254740992n,
  ]);
  assert.deepEqual(parseJson("[9007199254740991, -9007199254740991, 0]"), [9007199254740991, -9007199254740991, 0]);
});

test("errors say where they are and what would be right", () => {
  const cases: [text: string, message: string][] = [
    ["", "line 1, column 1: unexpected end of input, the text is empty"],
    ["\ufeff{}", "line 1, column 1: unexpected byte order mark"],
    ['{\n\t"a": 1', 'line 2, column 8: unexpected end of input, expected "," or "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: unexpected "\\"", expected "," or "}"'],
    ['{"é😀": x}', 'line 1, column 8: unexpected "x", expected a value'],
    ["[1,]", 'line 1, column 4: unexpected "]", expected a value'],
    ['{"a" 1}', 'line 1, column 6: unexpected "1", expected ":"'],
    ["{a: 1}", 'line 1, column 2: unexpected "a", expected a property name in double quotes'],
    ["{} x", 'line 1, column 4: unexpected "x", expected the end of input'],
    ["nul", 'line 1, column 4: unexpected end of input, expected "null"'],
    ['"a\nb"', 'line 1, column 3: unexpected "\\n", expected the end of the string'],
    ['"ab', "line 1, column 4: unexpected end of input, expected the end of the string"],
    ['"a\\qb"', 'line 1, column 3: unexpected "\\\\", expected an escape sequence of JSON'],
    ["[".repeat(300), "line 1, column 257: nested more than 256 levels deep"],
  ];
  for (const [text, message] of cases) assert.throws(() => parseJson(text), { name: "JsonError", message }, text);
});

test("cut short anywhere, a text is refused at its end", () => {
  const text = JSON.stringify({ a: [1, "x\\", { b: null }], c: true, d: -1.5e3 });
  for (let end = 0; end < text.length; end++)
    assert.throws(
      () => parseJson(text.slice(0, end)),
      /^JsonError: line 1, column \d+: unexpected (end of input|"\\\\"|"-")/,
    );
});

test("writes what it parses", () => {
  const text = '{"a":[1,-2.5,18446744073709551615,"b\\"\\n",null,true,[],{}],"":{"c":-9223372036854775808}}';
  assert.equal(formatJson(parseJson(text)), text);
  assert.equal(formatJson({ a: undefined, b: [1n] }), '{"b":[1]}');
});
