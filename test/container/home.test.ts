import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { homeOf } from "../../src/container/home.js";

test("a user's home is the image's matter, and no link leads out of it", (t) => {
  const rootfs = mkdtempSync(join(tmpdir(), "fdrunc-home-"));
  t.after(() => rmSync(rootfs, { recursive: true }));
  assert.equal(homeOf(rootfs, 0), "/");
  mkdirSync(join(rootfs, "etc"));
  const passwd = join(rootfs, "etc/passwd");
  writeFileSync(
    passwd,
    "# comment\nroot:x:0:0::/root:/bin/sh\nbroken\n::7::\nfirst:x:5:5::/first:\nsecond:x:5:5::/second:\n",
  );
  assert.equal(homeOf(rootfs, 0), "/root");
  assert.equal(homeOf(rootfs, 5), "/first");
  assert.equal(homeOf(rootfs, 7), "/");
  assert.equal(homeOf(rootfs, 8), "/");
  rmSync(passwd);
  // On a host, root has a home; here there is no such file.
  symlinkSync("/etc/passwd", passwd);
  assert.equal(homeOf(rootfs, 0), "/");
  rmSync(passwd);
  mkdirSync(passwd);
  assert.equal(homeOf(rootfs, 0), "/");
});
