import assert from "node:assert/strict";
import { test } from "node:test";
import { devicePolicy } from "../../../src/cgroup/device-policy.js";
import { type Controllers, settingsFor } from "../../../src/cgroup/settings.js";
import { annotationProperties } from "../../../src/cgroup/systemd/annotation-properties.js";
import { deviceProperties } from "../../../src/cgroup/systemd/device-properties.js";
import { resourceProperties } from "../../../src/cgroup/systemd/resource-properties.js";
import type { Resources } from "../../../src/generated/config.js";

const V1: Controllers = { v1: "cpu cpuset memory devices blkio pids".split(" "), v2: undefined };
const V2: Controllers = { v1: [], v2: "cpuset cpu io memory hugetlb pids".split(" ") };
const NONE = 0xffff_ffff_ffff_ffffn;

const propertiesOf = (resources: Resources, controllers: Controllers): Record<string, unknown> =>
  Object.fromEntries(resourceProperties(settingsFor(resources, controllers)).map(({ name, value }) => [name, value]));

/** Resources, and what systemd is told of each, with v1 and with v2. */
const CASES: [name: string, Resources, v1: Record<string, unknown>, v2: Record<string, unknown>][] = [
  [
    "memory",
    { memory: { limit: 1 << 20, reservation: 1 << 19, swap: 3 << 20 } },
    { MemoryLimit: 1n << 20n },
    { MemoryMax: 1n << 20n, MemoryLow: 1n << 19n, MemorySwapMax: 2n << 20n },
  ],
  ["no limit on memory", { memory: { limit: -1 } }, { MemoryLimit: NONE }, { MemoryMax: NONE, MemorySwapMax: NONE }],
  ["shares", { cpu: { shares: 1024 } }, { CPUShares: 1024n }, { CPUWeight: 100n }],
  [
    "a quota and its period",
    { cpu: { quota: 5000, period: 20_000 } },
    { CPUQuotaPeriodUSec: 20_000, CPUQuotaPerSecUSec: 250_000n },
    { CPUQuotaPeriodUSec: 20_000, CPUQuotaPerSecUSec: 250_000n },
  ],
  [
    "a quota that is no whole percentage",
    { cpu: { quota: 12_345 } },
    { CPUQuotaPerSecUSec: 130_000n },
    { CPUQuotaPerSecUSec: 130_000n },
  ],
  ["no quota", { cpu: { quota: -1 } }, { CPUQuotaPerSecUSec: NONE }, { CPUQuotaPerSecUSec: NONE }],
  [
    "a period alone",
    { cpu: { period: 50_000 } },
    { CPUQuotaPeriodUSec: 50_000, CPUQuotaPerSecUSec: NONE },
    { CPUQuotaPeriodUSec: 50_000, CPUQuotaPerSecUSec: NONE },
  ],
  [
    "CPUs and memory nodes",
    { cpu: { cpus: "0-1,9", mems: "0" } },
    {},
    { AllowedCPUs: [3, 2], AllowedMemoryNodes: [1] },
  ],
  ["pids", { pids: { limit: 17 } }, { TasksMax: 17n }, { TasksMax: 17n }],
  ["any number of pids", { pids: { limit: -1 } }, { TasksMax: NONE }, { TasksMax: NONE }],
  ["a weight of I/O", { blockIO: { weight: 500 } }, { BlockIOWeight: 500n }, { IOWeight: 4950n }],
  [
    "what systemd does not manage",
    { hugepageLimits: [], blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] }, cpu: { burst: 1 } },
    {},
    {},
  ],
];

for (const [name, resources, v1, v2] of CASES) {
  test(`systemd is told of ${name}`, () => {
    assert.deepEqual(propertiesOf(resources, V1), v1);
    assert.deepEqual(propertiesOf(resources, V2), v2);
  });
}

test("systemd is told of unified resources as far as it can read them", () => {
  const unified = {
    ...{ "memory.high": "1048576", "memory.min": "max", "memory.max": "1M", "memory.oom.group": "1" },
    ...{ "cpu.max": "max 50000", "cpu.weight": "77", "io.weight": "default 60", "pids.max": "9", "cpuset.cpus": "1" },
  };
  assert.deepEqual(propertiesOf({ unified }, V2), {
    ...{ MemoryHigh: 1n << 20n, MemoryMin: NONE, CPUQuotaPeriodUSec: 50_000, CPUQuotaPerSecUSec: NONE },
    ...{ CPUWeight: 77n, IOWeight: 60n, TasksMax: 9n, AllowedCPUs: [2] },
  });
});

test("a property tells which part of the config it comes from, and since when it is known", () => {
  const [{ name, from, since }] = resourceProperties(settingsFor({ cpu: { cpus: "0" } }, V2));
  assert.deepEqual([name, from, since], ["AllowedCPUs", "linux.resources.cpu.cpus", 244]);
});

const ALWAYS = [
  ...[
    ["char-*", "m"],
    ["block-*", "m"],
    ["/dev/char/5:2", "rwm"],
    ["char-136", "rwm"],
  ],
  ...["1:3", "1:8", "1:7", "5:0", "1:5", "1:9"].map((number) => [`/dev/char/${number}`, "rwm"]),
];
const deny = { allow: false, access: "rwm" };

const DEVICES: [name: string, rules: Parameters<typeof devicePolicy>[0], policy: string, list: string[][]][] = [
  ["none", [deny], "strict", ALWAYS],
  [
    "some",
    [deny, { allow: true, type: "b", major: 8, minor: 1, access: "r" }, { allow: true, type: "c", major: 10 }],
    "strict",
    [["/dev/block/8:1", "r"], ["char-10", "rwm"], ...ALWAYS],
  ],
  ["all", [{ allow: true, access: "rwm" }], "auto", []],
  ["all but one", [{ allow: true }, { allow: false, type: "b", major: 8, minor: 0 }], "auto", []],
  ["a minor number of all", [deny, { allow: true, type: "c", minor: 5, access: "rw" }], "auto", []],
  [
    "a group without one of it",
    [deny, { allow: true, type: "b", major: 8 }, { allow: false, type: "b", major: 8, minor: 1 }],
    "strict",
    [["block-8", "rwm"], ...ALWAYS],
  ],
];

for (const [name, rules, policy, list] of DEVICES) {
  test(`systemd allows no less than the policy: ${name}`, () => {
    const values = deviceProperties(devicePolicy(rules)).map(({ value }) => value);
    assert.deepEqual(values, [policy, list]);
  });
}

test("annotations become properties; seconds become microseconds", () => {
  const key = (name: string) => `org.systemd.property.${name}`;
  const properties = annotationProperties({
    [key("CollectMode")]: "'inactive-or-failed'",
    [key("TimeoutStopUSec")]: "uint64 123456789",
    [key("TimeoutStopSec")]: "10",
    [key("RuntimeMaxSec")]: "1.5",
    "org.example.other": "nonsense",
  });
  assert.deepEqual(
    properties.map(({ name, signature, value }) => [name, signature, value]),
    [
      ["CollectMode", "s", "inactive-or-failed"],
      ["TimeoutStopUSec", "t", 123456789n],
      ["TimeoutStopUSec", "t", 10_000_000n],
      ["RuntimeMaxUSec", "t", 1_500_000n],
    ],
  );
  assert.equal(properties[0].from, 'annotations["org.systemd.property.CollectMode"]');
});

const WRONG: [name: string, text: string, message: RegExp][] = [
  ["CollectMode", "inactive", /^annotations\["org\.systemd\.property\.CollectMode"\]: "inactive": .* is not of type/],
  ["Collect-Mode", "true", /: "Collect-Mode" is not the name of a property$/],
  ["", "true", /: "" is not the name of a property$/],
  ["TimeoutStopSec", "'10'", /: "'10'": is not a number of seconds$/],
  ["TimeoutStopSec", "-1", /is not a number of seconds$/],
];

for (const [name, text, message] of WRONG) {
  test(`the annotation ${name}=${text} is refused`, () => {
    assert.throws(() => annotationProperties({ [`org.systemd.property.${name}`]: text }), { message });
  });
}
