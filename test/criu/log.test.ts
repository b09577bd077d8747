import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lastError } from "../../src/criu/log.js";

test("the last error that tells a cause is found in criu's log", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "log");
  const told = (...lines: string[]) => {
    writeFileSync(path, `${lines.join("\n")}\n`);
    return lastError(path);
  };
  const limit = "(00.02) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted";
  const lookup = "(00.13) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/tmp/x";
  const files = "(00.14) Error (criu/cr-dump.c:1681): Dump files (pid: 32663) failed with -1";
  const end = "(00.21) Error (criu/cr-dump.c:2111): Dumping FAILED.";
  assert.equal(told("(00.01) well", limit, lookup, files, end), "Can't lookup mount=27 for fd=1 path=/tmp/x");
  assert.equal(told(limit, end), "Dumping FAILED.");
  assert.equal(told(limit), undefined);
  assert.equal(lastError(join(directory, "absent")), undefined);
});
