import assert from "node:assert/strict";
import { test } from "node:test";
import { externalSources } from "../../src/container/external-mounts.js";
import type { Config } from "../../src/generated/config.js";

const CONFIG: Config = {
  ociVersion: "1.3.0",
  mounts: [{ destination: "/link", source: "data", options: ["bind"] }],
  linux: { devices: [{ type: "c", path: "/devices/x", major: 1, minor: 3 }] },
};

test("what is the host's is found by where it lies in the container", () => {
  const plain = externalSources(CONFIG, new Map(), "/bundle", undefined);
  for (const [path, source] of Object.entries({
    "/link": "/bundle/data",
    "/devices/x": "/devices/x",
    "/dev/null": "/dev/null",
  }))
    assert.equal(plain[path], source);
  const places = new Map([
    ["mounts[0].destination", "/made/link"],
    ["linux.devices[0].path", "/made/x"],
    ["/dev", "/made/dev"],
  ]);
  const placed = externalSources(CONFIG, places, "/bundle", undefined);
  for (const [path, source] of Object.entries({
    "/made/link": "/bundle/data",
    "/made/x": "/devices/x",
    "/made/dev/null": "/dev/null",
  }))
    assert.equal(placed[path], source);
  for (const path of ["/link", "/devices/x", "/dev/null"]) assert.equal(placed[path], undefined);
});
