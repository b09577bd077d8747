import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.js";
import { unknownProperties } from "../../src/config/unknown-properties.js";
import { merge } from "./merge.js";

test("unknown properties are found wherever they are, in keys of the user's choosing none", () => {
  const config = merge(defaultConfig(), {
    hostName: "x",
    constructor: 1,
    process: { users: {}, "no-new": true },
    mounts: [{ destination: "/a" }, { destination: "/b", sauce: "c" }],
    annotations: { "any.key": "x" },
    windows: { anything: { goes: 1 } },
    linux: {
      sysctl: { "net.any": "1" },
      netDevices: { eth0: { name: "a", nam: "b" } },
      resources: { cpu: { share: 1 } },
    },
  });
  assert.deepEqual(unknownProperties(config), [
    "process.users",
    'process["no-new"]',
    "mounts[1].sauce",
    "linux.resources.cpu.share",
    "linux.netDevices.eth0.nam",
    "hostName",
    "constructor",
  ]);
});

test("the default configuration has none", () => {
  assert.deepEqual(unknownProperties(defaultConfig()), []);
});
