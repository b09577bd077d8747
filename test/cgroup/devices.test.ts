import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS, devicePolicy, exceptionsOf } from "../../src/cgroup/device-policy.js";
import { deviceProgram } from "../../src/cgroup/device-program.js";
import type { Device, DeviceRule } from "../../src/generated/config.js";
import { runDeviceProgram } from "./device-program-interpreter.js";

const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };
const ALLOW_ALL: DeviceRule = { allow: true, access: "rwm" };

/** What every container may use. */
const ALWAYS = [
  "c *:* m",
  "b *:* m",
  "c 5:2 rwm",
  "c 136:* rwm",
  "c 1:3 rwm",
  "c 1:8 rwm",
  "c 1:7 rwm",
  "c 5:0 rwm",
  "c 1:5 rwm",
  "c 1:9 rwm",
];

/** What is written in cgroup v1: the exceptions to the default. */
function v1(rules: DeviceRule[] | undefined, devices?: Device[]): [allow: boolean, string[]] {
  const policy = devicePolicy(rules, devices);
  return [policy.allow, exceptionsOf(policy)];
}

test("without rules, and after denying all, the default devices are allowed", () => {
  assert.deepEqual(v1(undefined), [false, ALWAYS]);
  assert.deepEqual(v1([]), [false, ALWAYS]);
  assert.deepEqual(v1([DENY_ALL]), [false, ALWAYS]);
  assert.deepEqual(v1([{ allow: false, type: "a", major: -1, minor: -1, access: "mwr" }]), [false, ALWAYS]);
});

test("a device in the place of a default one is not the default one", () => {
  const devices: Device[] = [{ path: "/dev/null", type: "c", major: 1, minor: 5 }];
  assert.deepEqual(v1([DENY_ALL], devices), [false, ALWAYS.filter((device) => device !== "c 1:3 rwm")]);
});

test("what is allowed already, or denied anyway, costs no exception", () => {
  assert.deepEqual(v1([ALLOW_ALL]), [true, []]);
  assert.deepEqual(v1([{ allow: true, type: "c", major: 9, access: "r" }, DENY_ALL]), [false, ALWAYS]);
  assert.deepEqual(v1([DENY_ALL, { allow: false, type: "c", major: 10, minor: 229, access: "rwm" }]), [false, ALWAYS]);
  assert.deepEqual(v1([ALLOW_ALL, { allow: true, type: "c", major: 10, minor: 229, access: "rwm" }]), [true, []]);
});

test("rules for one device come together", () => {
  assert.deepEqual(
    v1([
      DENY_ALL,
      { allow: true, type: "c", major: 10, minor: 229, access: "r" },
      { allow: true, type: "b", major: 8, access: "r" },
      { allow: true, type: "c", major: 10, minor: 229, access: "w" },
    ]),
    [false, ["c 10:229 rw", "b 8:* r", ...ALWAYS]],
  );
});

test("a later rule takes earlier ones back", () => {
  assert.deepEqual(
    v1([
      DENY_ALL,
      { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 200, access: "rw" },
      { allow: false, type: "c", major: 10, access: "w" },
    ]),
    [false, ["c 10:229 rm", "c 10:200 r", ...ALWAYS]],
  );
  assert.deepEqual(v1([ALLOW_ALL, { allow: false, type: "b", major: 8, minor: 0, access: "rwm" }]), [
    true,
    ["b 8:0 rw"],
  ]);
});

test("a rule on all devices of some numbers or accesses is one on both types", () => {
  assert.deepEqual(v1([DENY_ALL, { allow: true, type: "a", major: 9, access: "r" }]), [
    false,
    ["b 9:* r", "c 9:* r", ...ALWAYS],
  ]);
  assert.deepEqual(v1([DENY_ALL, { allow: true, access: "r" }])[1].slice(0, 2), ["b *:* rm", "c *:* rm"]);
});

test("a hole in a wider rule is refused by name where cgroup v1 cannot do it", () => {
  const rules: DeviceRule[] = [
    DENY_ALL,
    { allow: true, type: "c", major: 10, access: "rwm" },
    { allow: false, type: "c", major: 10, minor: 229, access: "w" },
  ];
  assert.throws(() => v1(rules), { message: /^linux\.resources\.devices\[2\]: takes a device out of a wider/ });
  assert.equal(decide(rules, "c", 10, 229, ACCESS.r), 1);
  assert.equal(decide(rules, "c", 10, 229, ACCESS.r | ACCESS.w), 0);
  assert.equal(decide(rules, "c", 10, 200, ACCESS.r | ACCESS.w), 1);
});

test("rules that are none are refused by name", () => {
  assert.throws(() => devicePolicy([{ allow: true, type: "x" }]), {
    message: 'linux.resources.devices[0].type: "x" is none of "a", "b" and "c"',
  });
  assert.throws(() => devicePolicy([DENY_ALL, { allow: true, access: "rx" }]), {
    message: 'linux.resources.devices[1].access: "rx" is not made of "r", "w" and "m"',
  });
  assert.throws(() => devicePolicy([{ allow: true, access: "" }]), {
    message: "linux.resources.devices[0].access: is empty",
  });
});

/** What the program for these rules says. */
const decide = (rules: DeviceRule[], type: "b" | "c", major: number, minor: number, access: number): number =>
  answer(deviceProgram(devicePolicy(rules)), type, major, minor, access);

const answer = (program: Uint8Array, type: "b" | "c", major: number, minor: number, access: number): number =>
  runDeviceProgram(program, [(access << 16) | (type === "b" ? 1 : 2), major, minor]);

/** What the rules say, read by their definition: for each kind of access the last rule about it. */
function expected(rules: DeviceRule[], type: "b" | "c", major: number, minor: number, access: number): number {
  const always: DeviceRule[] = ALWAYS.map((text) => {
    const [, kind, first, second, letters] = /^(.) (.+):(.+) (.+)$/.exec(text) as RegExpExecArray;
    const number = (part: string) => (part === "*" ? -1 : Number(part));
    return { allow: true, type: kind, major: number(first), minor: number(second), access: letters };
  });
  return (["m", "r", "w"] as const).every((letter) => {
    if ((access & ACCESS[letter]) === 0) return true;
    const last = [...rules, ...always].findLast(
      (rule) =>
        (rule.type === "a" || rule.type === type) &&
        (rule.major === -1 || rule.major === major) &&
        (rule.minor === -1 || rule.minor === minor) &&
        rule.access?.includes(letter),
    );
    return last?.allow ?? false;
  })
    ? 1
    : 0;
}

test("the program decides as the rules say, for any rules", () => {
  // A small generator, so that a failure can be met again.
  let seed = 1;
  const pick = <T>(items: readonly T[]): T => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return items[Math.floor((seed / 2147483648) * items.length)];
  };
  const numbers = [-1, 1, 3, 10];
  for (let round = 0; round < 300; round++) {
    const rules: DeviceRule[] = Array.from({ length: round % 7 }, () => ({
      allow: pick([true, false]),
      type: pick(["a", "b", "c"]),
      major: pick(numbers),
      minor: pick(numbers),
      access: pick(["rwm", "rwm", "r", "w", "m", "rw", "rm"]),
    }));
    const program = deviceProgram(devicePolicy(rules));
    for (const type of ["b", "c"] as const) {
      for (const [major, minor] of [
        [1, 3],
        [1, 10],
        [10, 3],
        [3, 3],
        [136, 7],
        [1048575, 1048575],
      ]) {
        for (let access = 1; access < 8; access++) {
          assert.equal(
            answer(program, type, major, minor, access),
            expected(rules, type, major, minor, access),
            JSON.stringify({ rules, type, major, minor, access }),
          );
        }
      }
    }
  }
});

test("the program for docker's rules is small", () => {
  const policy = devicePolicy([DENY_ALL, { allow: true, type: "c", major: 10, minor: 229, access: "rwm" }]);
  assert.ok(deviceProgram(policy).length / 8 <= 70, `${deviceProgram(policy).length / 8} instructions`);
});
