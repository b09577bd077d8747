import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Init } from "../../src/launch/init.js";
import { sleep } from "../../src/linux/sleep.js";
import { socketPair } from "../../src/linux/socket.js";
import { cgroupOf, eventually, type Scene, system, withCgroups } from "./harness.js";
import { besideRunc } from "./pair.js";

/** Starts a container that counts in a file. Returns a function that tells how far it is. */
function counting(s: Scene, change: Parameters<Scene["write"]>[0] = () => {}): () => number {
  s.write((config) => {
    config.root.readonly = false;
    config.process.args = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.01; done"];
    change(config);
  });
  s.fdrunc(["run", "--detach", "c"]).succeeds();
  const count = () => Number(readFileSync(`${s.rootfs}/count`, "utf8"));
  eventually(() => assert.ok(count() > 0));
  return count;
}

/** Asserts that a count goes on. */
function goesOn(count: () => number): void {
  const before = count();
  eventually(() => assert.ok(count() > before));
}

withCgroups("a paused container does nothing until it is resumed, and says so", (s) => {
  const count = counting(s);
  s.fdrunc(["pause", "c"]).succeeds();
  assert.equal(s.status(), "paused");
  assert.match(s.fdrunc(["list"]).succeeds(), /^c +\d+ +paused /m);
  const before = count();
  sleep(200);
  assert.equal(count(), before);
  s.fdrunc(["resume", "c"]).succeeds();
  assert.equal(s.status(), "running");
  goesOn(count);
});

withCgroups("what is asked of a paused container", (s) => {
  const count = counting(s);
  s.fdrunc(["pause", "c"]).succeeds();
  const paused = (command: string) => s.fdrunc([command, "c"]).fails();
  assert.equal(paused("pause"), 'cannot pause container "c": container not running (its status is paused)');
  assert.equal(paused("start"), 'cannot start container "c": cannot start a container in the paused state');
  assert.match(paused("delete"), /^cannot delete container "c" that is not stopped: paused /);
  assert.equal(s.status(), "paused");
  s.fdrunc(["resume", "c"]).succeeds();
  assert.equal(paused("resume"), 'cannot resume container "c": container not paused (its status is running)');
  goesOn(count);
});

withCgroups("a signal reaches a paused container when it is resumed", (s) => {
  counting(s, ({ process }) => {
    process.args = ["sh", "-c", `trap 'exit 3' TERM; ${process.args[2]}`];
  });
  s.fdrunc(["pause", "c"]).succeeds();
  s.fdrunc(["kill", "c", "TERM"]).succeeds();
  sleep(50);
  assert.equal(s.status(), "paused");
  s.fdrunc(["resume", "c"]).succeeds();
  s.waitFor("stopped");
});

for (const flags of [[], ["--all"]])
  withCgroups(`KILL ends a paused container${flags.length > 0 ? " with --all" : ""}`, (s) => {
    counting(s);
    s.fdrunc(["pause", "c"]).succeeds();
    s.fdrunc(["kill", ...flags, "c", "KILL"]).succeeds();
    s.waitFor("stopped");
    for (const command of ["pause", "resume", "kill"])
      assert.match(s.fdrunc([command, "c"]).fails(), /container not (running|paused)/);
    s.fdrunc(["kill", "--all", "c", "KILL"]).succeeds();
    s.fdrunc(["delete", "c"]).succeeds();
  });

withCgroups("KILL ends a paused container that shares the host's process ids, with all its processes", (s) => {
  counting(s, (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    config.process.args[2] = `sleep 1000 & ${config.process.args[2]}`;
  });
  s.fdrunc(["pause", "c"]).succeeds();
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

withCgroups("delete --force ends a paused container", (s) => {
  counting(s);
  s.fdrunc(["pause", "c"]).succeeds();
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  s.assertNothingLeft();
});

withCgroups("a created container is paused, resumed and started", (s) => {
  s.create().succeeds();
  s.fdrunc(["pause", "c"]).succeeds();
  assert.equal(s.status(), "paused");
  assert.match(s.fdrunc(["start", "c"]).fails(), /in the paused state$/);
  s.fdrunc(["resume", "c"]).succeeds();
  assert.equal(s.status(), "created");
  s.fdrunc(["start", "c"]).succeeds();
  s.waitFor("stopped");
});

system("a container without cgroups cannot be paused", (s) => {
  s.write((config) => {
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.linux.resources = {};
  });
  s.fdrunc(["--cgroup-manager", "disabled", "create", "c"]).succeeds();
  assert.equal(s.fdrunc(["pause", "c"]).fails(), "the container has no cgroup that can stop its processes");
  assert.equal(s.status(), "created");
});

besideRunc("pause and resume, and what else is asked of a paused container", (pair) => {
  pair.run(() => {});
  const states = () => pair.both(["state", "c"]).map(({ stdout }) => JSON.parse(stdout).status);
  pair.same(["resume", "c"], "container not paused");
  pair.same(["pause", "c"]);
  assert.deepEqual(states(), ["paused", "paused"]);
  pair.same(["pause", "c"], "container not running");
  pair.same(["start", "c"], "cannot start a container in the paused state");
  pair.same(["delete", "c"], "that is not stopped: paused");
  pair.same(["resume", "c"]);
  assert.deepEqual(states(), ["running", "running"]);
  pair.same(["pause", "c"]);
  pair.same(["kill", "c", "KILL"]);
  eventually(() => assert.deepEqual(states(), ["stopped", "stopped"]));
  pair.same(["pause", "c"], "container not running");
  pair.same(["resume", "c"], "container not paused");
  pair.same(["kill", "c"], "container not running");
  pair.same(["kill", "--all", "c"]);
  pair.same(["delete", "c"]);
  pair.same(["pause", "c"], "does not exist");
});

withCgroups(
  "what has failed in a paused container is not waited for: it ends when the container goes on",
  async (s) => {
    counting(s);
    s.fdrunc(["pause", "c"]).succeeds();
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    child.unref();
    const pid = child.pid as number;
    writeFileSync(`${cgroupOf("freezer")}/cgroup.procs`, String(pid));
    new Init(pid, "", socketPair()[0], () => ({ says: "" })).kill();
    s.fdrunc(["resume", "c"]).succeeds();
    // Node waits for its children when it gets to it; cgroup v2 has let this one end before, and then `kill` has.
    for (let i = 0; i < 300 && existsSync(`/proc/${pid}`); i++) await setTimeout(100);
    assert.ok(!existsSync(`/proc/${pid}`));
  },
);
