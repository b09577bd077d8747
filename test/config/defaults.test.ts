import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import { defaultConfig } from "../../src/config/defaults.js";
import { checkRules, warningsOf } from "../../src/config/validate.js";
import { validateConfig } from "../../src/generated/validate-config.js";

test("the default configuration is that of runc spec but for the host name", (t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
  const folder = mkdtempSync(join(tmpdir(), "fdrunc-defaults-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync("runc", ["spec"], { cwd: folder });
  const theirs = readFileSync(join(folder, "config.json"), "utf8");
  const config = defaultConfig();
  // So runc does where there is nothing but cgroup v2.
  if (isUnified(cgroupHierarchies())) config.linux?.namespaces?.push({ type: "cgroup" });
  assert.equal(JSON.stringify(config, null, "\t"), theirs.replace('"runc"', '"fdrunc"').trimEnd());
});

test("the default configuration breaks no rule", () => {
  const config = defaultConfig();
  assert.ok(validateConfig(config));
  checkRules(config);
  assert.deepEqual(warningsOf(config, (1n << 41n) - 1n), []);
});

test("each call gives a configuration of its own", () => {
  defaultConfig().process?.capabilities?.bounding?.push("CAP_SYS_ADMIN");
  assert.deepEqual(defaultConfig().process?.capabilities?.bounding, defaultConfig().process?.capabilities?.effective);
});
