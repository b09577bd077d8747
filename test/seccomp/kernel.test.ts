import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EBADF, ENOSYS, EPERM } from "../../src/linux/errno.js";

test("the kernel takes the filters and does what they say", () => {
  const confined = fileURLToPath(new URL("confined.js", import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, [confined], { encoding: "utf8" });
  assert.equal(stderr, "");
  const [noNewPrivileges, small, far, ...calls] = JSON.parse(stdout);
  assert.deepEqual([noNewPrivileges, small, far], [0, 0, 0], "prctl and seccomp");
  assert.deepEqual(calls, [
    -99,
    -77,
    -EBADF,
    -78,
    -EBADF,
    // TRACE without a tracer.
    -ENOSYS,
    -1,
    -800,
    -EBADF,
    0,
    -EPERM,
  ]);
});
