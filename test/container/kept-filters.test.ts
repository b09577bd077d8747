import assert from "node:assert/strict";
import { chownSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findFilter, keepFilter } from "../../src/container/kept-filters.js";
import type { Seccomp } from "../../src/generated/config.js";

const PROFILE: Seccomp = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [{ index: 0, value: 2 ** 63, op: "SCMP_CMP_EQ" }] }],
};
const FILTER = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** A directory as `--root` names one, for as long as a test runs. */
function root(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-filters-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

const files = (directory: string) => readdirSync(join(directory, "seccomp@"));

test("a filter that was kept is found by its profile alone", (t) => {
  const directory = root(t);
  assert.equal(findFilter(directory, PROFILE), undefined);
  keepFilter(directory, PROFILE, FILTER);
  assert.deepEqual(findFilter(directory, structuredClone(PROFILE)), FILTER);
  assert.equal(findFilter(directory, { ...PROFILE, defaultAction: "SCMP_ACT_ERRNO" }), undefined);
  assert.equal(statSync(join(directory, "seccomp@")).mode & 0o777, 0o700);
});

test("numbers of 64 bits tell profiles apart", (t) => {
  const directory = root(t);
  const withValue = (value: bigint): Seccomp => {
    const args = [{ index: 0, value: value as never, op: "SCMP_CMP_EQ" as const }];
    return { ...PROFILE, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args }] };
  };
  keepFilter(directory, withValue(2n ** 63n + 1n), FILTER);
  assert.deepEqual(findFilter(directory, withValue(2n ** 63n + 1n)), FILTER);
  assert.equal(findFilter(directory, withValue(2n ** 63n + 2n)), undefined);
});

test("of two profiles of the same length the later one is kept", (t) => {
  const directory = root(t);
  const other: Seccomp = { ...PROFILE, syscalls: [{ names: ["rmdir"], action: "SCMP_ACT_ERRNO" }] };
  const another: Seccomp = { ...PROFILE, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }] };
  keepFilter(directory, other, FILTER);
  keepFilter(directory, another, FILTER.toReversed());
  assert.equal(findFilter(directory, other), undefined);
  assert.deepEqual(findFilter(directory, another), FILTER.toReversed());
});

test("there are never many", (t) => {
  const directory = root(t);
  const profile = (i: number): Seccomp => ({
    ...PROFILE,
    syscalls: [{ names: ["x".repeat(i)], action: "SCMP_ACT_LOG" }],
  });
  for (let i = 1; i < 100; i++) {
    keepFilter(directory, profile(i), FILTER);
    assert.ok(files(directory).length <= 32);
    assert.deepEqual(findFilter(directory, profile(i)), FILTER);
  }
});

test("a file of another's is not believed", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const directory = root(t);
  keepFilter(directory, PROFILE, FILTER);
  const [file] = files(directory);
  chownSync(join(directory, "seccomp@", file), 12345, 0);
  assert.equal(findFilter(directory, PROFILE), undefined);
});

test("where nothing can be kept it goes without", (t) => {
  const directory = root(t);
  writeFileSync(join(directory, "seccomp@"), "");
  keepFilter(directory, PROFILE, FILTER);
  assert.equal(findFilter(directory, PROFILE), undefined);
});
