import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Saved } from "../../src/container/saved.js";
import { fullState, specState } from "../../src/container/state.js";
import { StateDirectory } from "../../src/container/state-directory.js";
import { isAlive, statusOf } from "../../src/container/status.js";
import { Undo } from "../../src/container/undo.js";
import { processStatus } from "../../src/linux/process.js";

function place(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "fdrunc-state-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, "deep/root");
}

const SAVED: Saved = {
  ociVersion: "1.3.0",
  id: "c",
  pid: process.pid,
  startTime: processStatus(process.pid)?.startTime ?? 0,
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  created: "2026-01-02T03:04:05.678Z",
  owner: 0,
  annotations: {},
  hooks: {},
  ready: true,
  ownProcesses: true,
  newKeyring: true,
  hasProcess: true,
  streams: [],
  executable: "0:1:2",
  cgroup: {},
  checkMemory: false,
  rest: { first: 1, steps: [] },
};

test("a container's directory is its creator's alone; what is saved is read again", (t) => {
  const root = place(t);
  const directory = StateDirectory.create(root, "c");
  assert.equal(statSync(directory.path).mode & 0o7777, 0o700);
  assert.equal(statSync(root).mode & 0o7777, 0o1700);
  assert.equal(directory.read(), undefined);
  directory.save(SAVED);
  assert.deepEqual(StateDirectory.open(root, "c").read(), SAVED);
  directory.saveConfig("{}");
  assert.deepEqual(readdirSync(directory.path).toSorted(), ["config.json", "state.json"]);
  assert.throws(() => StateDirectory.create(root, "c"), { message: /^container "c" already exists/ });
  directory.remove();
  directory.close();
  assert.deepEqual(readdirSync(root), []);
  assert.throws(() => StateDirectory.open(root, "c"), { message: 'container "c" does not exist' });
});

test("one command at a time changes a container", (t) => {
  const root = place(t);
  const [holder, other] = [StateDirectory.create(root, "c"), StateDirectory.open(root, "c")];
  assert.equal(other.tryLock(), false);
  holder.close();
  assert.equal(other.tryLock(), true);
  // Another of the same name since: not the one that was asked for.
  other.remove();
  StateDirectory.create(root, "c").close();
  assert.throws(() => other.lock(), { message: 'container "c" does not exist' });
});

test("containers are listed in order, and nothing but them", (t) => {
  const root = place(t);
  assert.deepEqual(StateDirectory.list(root), []);
  for (const id of ["b", "a", "c.d"]) StateDirectory.create(root, id).close();
  writeFileSync(join(root, "a b"), "");
  assert.deepEqual(StateDirectory.list(root), ["a", "b", "c.d"]);
});

test("ids are of few characters, and lead nowhere", (t) => {
  const root = place(t);
  for (const id of ["", ".", "..", "a/b", "../c", "a b", "a\n", "ä", "a\0"])
    assert.throws(() => StateDirectory.create(root, id), { message: /^container id ".*": not of the form / }, id);
});

test("what was saved and cannot be read is told by its file", (t) => {
  const directory = StateDirectory.create(place(t), "c");
  for (const damaged of ["", "{", "{}", "null", "7", "[]"]) {
    for (const name of ["state.json", "config.json"]) writeFileSync(join(directory.path, name), damaged);
    for (const [name, read] of [
      ["state.json", () => directory.read()],
      ["config.json", () => directory.readConfig()],
    ] as const)
      assert.throws(read, { name: "Failure", message: new RegExp(`^read ".*/c/${name}": [^\n]+$`) }, damaged);
  }
  rmSync(join(directory.path, "config.json"));
  assert.throws(() => directory.readConfig(), { message: /^".*\/c\/config\.json": there is no such file$/ });
});

test("a container that goes is not taken for one that comes", (t) => {
  const root = place(t);
  const directory = StateDirectory.create(root, "c");
  directory.save(SAVED);
  const other = StateDirectory.open(root, "c");
  directory.remove();
  for (const read of [() => other.read(), () => other.readConfig()])
    assert.throws(read, { message: 'container "c" does not exist' });
});

test("a status is read from the process", () => {
  assert.equal(statusOf(undefined), "creating");
  assert.equal(statusOf({ ...SAVED, pid: 0 }), "creating");
  assert.equal(statusOf(SAVED), "running");
  // Of the same id, but started at another time: another process.
  assert.equal(statusOf({ ...SAVED, startTime: SAVED.startTime + 1 }), "stopped");
  assert.equal(isAlive({ ...SAVED, pid: 2 ** 22 }), false);
});

test("states as the specification and as runc have them", () => {
  const spec = { ociVersion: "1.3.0", id: "c", status: "created", pid: 7, bundle: "/bundle" };
  assert.deepEqual(specState({ ...SAVED, pid: 7 }, "created"), spec);
  assert.deepEqual(specState({ ...SAVED, annotations: { a: "b" } }, "created", 7), {
    ...spec,
    annotations: { a: "b" },
  });
  const full = fullState({ ...SAVED, owner: 3_999_999_999, annotations: { a: "b" } });
  assert.deepEqual(Object.keys(full).join(), "ociVersion,id,pid,status,bundle,rootfs,created,annotations,owner");
  assert.deepEqual([full.owner, full.status, full.pid], ["3999999999", "running", process.pid]);
  assert.equal(fullState({ ...SAVED, startTime: 0 }).pid, 0);
});

test("what is undone is undone backwards, whatever fails", () => {
  const undo = new Undo();
  const done: number[] = [];
  undo.add(() => done.push(1));
  undo.add(() => {
    throw new Error("no");
  });
  undo.add(() => done.push(2));
  undo.run();
  assert.deepEqual(done, [2, 1]);
  undo.run();
  assert.deepEqual(done, [2, 1]);
});
