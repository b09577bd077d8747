import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import { defaultConfig } from "../../src/config/defaults.js";
import { rootless } from "../../src/config/rootless.js";
import { checkRules } from "../../src/config/validate.js";
import { validateConfig } from "../../src/generated/validate-config.js";

test("the configuration for an ordinary user is that of runc spec --rootless but for the host name", (t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
  const folder = mkdtempSync(join(tmpdir(), "fdrunc-rootless-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync("runc", ["spec", "--rootless"], { cwd: folder });
  const theirs = readFileSync(join(folder, "config.json"), "utf8");
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const config = defaultConfig();
  // So runc does where there is nothing but cgroup v2.
  if (isUnified(cgroupHierarchies())) config.linux?.namespaces?.push({ type: "cgroup" });
  const ours = rootless(config, uid, gid);
  assert.equal(JSON.stringify(ours, null, "\t"), theirs.replace('"runc"', '"fdrunc"').trimEnd());
});

test("it maps the user's own ids alone, and breaks no rule", () => {
  const config = rootless(defaultConfig(), 1000, 1001);
  assert.deepEqual(config.linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.deepEqual(config.linux?.gidMappings, [{ containerID: 0, hostID: 1001, size: 1 }]);
  assert.ok(validateConfig(config));
  checkRules(config);
});
