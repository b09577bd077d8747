import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../folders.js";

const FOREIGN = join(ROOT, "dist/fdrunc-aarch64");

test("fdrunc for aarch64 starts under qemu and prints what the Node form prints", (t) => {
  if (!existsSync(FOREIGN)) return t.skip("needs dist/fdrunc-aarch64, built where there is gcc-aarch64-linux-gnu");
  if (spawnSync("qemu-aarch64", ["--version"]).error) return t.skip("needs qemu-aarch64");
  const foreign = spawnSync("qemu-aarch64", [FOREIGN, "--help"], { encoding: "utf8" });
  const here = spawnSync(process.execPath, [join(ROOT, "dist/node/bin/fdrunc.js"), "--help"], { encoding: "utf8" });
  assert.match(here.stdout, /^Usage: fdrunc /);
  assert.deepEqual({ ...foreign, pid: 0 }, { ...here, pid: 0 });
});
