import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultConfig } from "../src/config/defaults.js";
import { Failure, listing, loadConfig, plan } from "../src/index.js";

test("the library plans a bundle without touching anything", () => {
  const bundle = mkdtempSync(join(tmpdir(), "fdrunc-library-"));
  try {
    mkdirSync(join(bundle, "rootfs"));
    writeFileSync(join(bundle, "config.json"), JSON.stringify(defaultConfig()));
    const options = {
      ...{ root: join(bundle, "state"), id: "planned", bundle, foreground: true, warn: assert.fail },
      ...{ cgroupManager: "disabled" as const, rootless: false, preserveFds: 0, newKeyring: true, pivot: true },
    };
    const { compiled, rootfs } = plan(options);
    assert.equal(rootfs, join(bundle, "rootfs"));
    assert.match(listing([compiled.launcher, compiled.init]), /^ *\d+ {2}pivot_root\("\.", "\."\)$/m);
    assert.throws(() => loadConfig(join(bundle, "rootfs")), /EISDIR/);
    writeFileSync(join(bundle, "config.json"), "{}");
    assert.throws(() => plan(options), Failure);
  } finally {
    rmSync(bundle, { recursive: true });
  }
});
