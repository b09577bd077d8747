import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, isLoopback, overlap, parseAddress, parseSubnet } from "../../src/net/address.js";

test("addresses are parsed as inet_pton does it", () => {
  assert.deepEqual(parseAddress("10.0.0.255"), { family: 4, bytes: [10, 0, 0, 255] });
  const bytes = (text: string) =>
    parseAddress(text)
      ?.bytes.map((byte) => byte.toString(16))
      .join(" ");
  assert.equal(bytes("::"), "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0");
  assert.equal(bytes("fd00::1:2"), "fd 0 0 0 0 0 0 0 0 0 0 0 0 1 0 2");
  assert.equal(bytes("1:2:3:4:5:6:7:8"), "0 1 0 2 0 3 0 4 0 5 0 6 0 7 0 8");
  assert.equal(bytes("1::"), "0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0");
  assert.equal(bytes("::ffff:1.2.3.4"), "0 0 0 0 0 0 0 0 0 0 ff ff 1 2 3 4");
  const wrong = ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "a.b.c.d", ":", ":::", "1::2::3", "1:2:3:4:5:6:7"];
  for (const text of [...wrong, "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "12345::", "g::", "1.2.3.4::", "fe80::1%eth0"])
    assert.equal(parseAddress(text), undefined, text);
});

test("loopback addresses are known", () => {
  const told = ["127.0.0.53", "::1", "10.0.0.1", "::2", "::"].map((text) => isLoopback(parseAddress(text) as Address));
  assert.deepEqual(told, [true, true, false, false, false]);
});

test("a subnet has a family, and nothing behind its length", () => {
  const familyOf = (text: string) => parseSubnet(text).address.family;
  assert.equal(familyOf("10.0.0.0/24"), 4);
  assert.equal(familyOf("10.0.0.8/29"), 4);
  assert.equal(familyOf("fd00:1::/64"), 6);
  const fails = (text: string, cause: string) =>
    assert.throws(() => parseSubnet(text), { name: "Failure", message: `--subnet: "${text}": ${cause}` });
  fails("10.0.0.0", "not of the form ADDRESS/LENGTH");
  fails("10.0.0.0/33", "not of the form ADDRESS/LENGTH");
  fails("x/24", "not of the form ADDRESS/LENGTH");
  fails("10.0.0.4/29", "there are bits set behind the first 29");
  fails("fd00::1/64", "there are bits set behind the first 64");
});

test("subnets overlap where they have addresses in common", () => {
  const cases: [a: string, b: string, expected: boolean][] = [
    ["10.0.0.0/24", "10.0.0.0/24", true],
    ["10.0.0.0/8", "10.5.0.0/16", true],
    ["10.5.4.0/23", "10.5.5.128/25", true],
    ["10.5.4.0/24", "10.5.5.0/24", false],
    ["0.0.0.0/0", "10.5.5.0/24", true],
    ["0.0.0.0/0", "fd00::/64", false],
    ["fd00:0:0:1::/64", "fd00::/48", true],
    ["fd00:0:0:1::/64", "fd00::/64", false],
  ];
  for (const [a, b, expected] of cases)
    for (const [one, other] of [
      [a, b],
      [b, a],
    ])
      assert.equal(overlap(parseSubnet(one), parseSubnet(other)), expected, `${one} ${other}`);
});
