import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findNetwork } from "../../src/net/find-network.js";

function directory(t: TestContext, files: Record<string, unknown>): string {
  const path = mkdtempSync(join(tmpdir(), "fdnet-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(path, name), typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("a network is found by its name, in lists and in single configurations", (t) => {
  const single = { cniVersion: "0.4.0", name: "single", type: "ptp", mtu: 1400 };
  const plugins = [{ type: "bridge" }, { type: "portmap" }];
  const path = directory(t, {
    "10-list.conflist": { cniVersion: "1.0.0", name: "list", plugins },
    "20-single.conf": single,
    "30-later.conflist": { cniVersion: "1.0.0", name: "list", plugins: [{ type: "other" }] },
    "40-quiet.conflist": { cniVersion: "1.1.0", name: "quiet", disableCheck: true, plugins },
    "50-note.txt": "not JSON",
  });
  assert.deepEqual(findNetwork(path, "list"), { cniVersion: "1.0.0", name: "list", disableCheck: false, plugins });
  assert.deepEqual(findNetwork(path, "single"), {
    cniVersion: "0.4.0",
    name: "single",
    disableCheck: false,
    plugins: [single],
  });
  assert.equal(findNetwork(path, "quiet")?.disableCheck, true);
  assert.equal(findNetwork(path, "absent"), undefined);
  assert.equal(findNetwork(join(path, "absent"), "list"), undefined);
});

test("a file that describes no network is an error that names it", (t) => {
  const good = { cniVersion: "1.0.0", name: "x", plugins: [{ type: "bridge" }] };
  const cases: [content: unknown, cause: RegExp][] = [
    [{ ...good, cniVersion: "0.2.0" }, /": cniVersion: has to be 0\.3\.0 to 1\.x, is "0\.2\.0"$/],
    [{ ...good, cniVersion: undefined }, /": cniVersion: has to be 0\.3\.0 to 1\.x, is undefined$/],
    [{ ...good, plugins: [] }, /": plugins: has to be a list of plugins$/],
    [{ ...good, plugins: [{ type: "a" }, null] }, /": plugins\[1\]\.type: has to be a plugin's name$/],
    [{ ...good, name: "x", plugins: undefined }, /": plugins\[0\]\.type: has to be a plugin's name$/],
  ];
  for (const [content, message] of cases)
    assert.throws(() => findNetwork(directory(t, { "x.conflist": content }), "x"), { name: "Failure", message });
});

test("a file that is no JSON hinders nobody who wants another network, and is told of", (t) => {
  const good = { cniVersion: "1.0.0", name: "x", plugins: [{ type: "bridge" }] };
  const path = directory(t, { "1.conf": "{", "2.conf": "7", "3.conflist": good });
  const told: string[] = [];
  assert.equal(findNetwork(path, "x")?.name, "x");
  assert.equal(
    findNetwork(path, "y", ({ message }) => told.push(message)),
    undefined,
  );
  assert.equal(told.length, 2);
  assert.match(told[0], /^"[^"]*1\.conf": .+/);
  assert.match(told[1], /2\.conf": has to be an object$/);
});
