import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { asRoot, cgroupOf } from "./harness.js";

asRoot("what a container leaves is seen: its process, its cgroups, its state", (s) => {
  s.create().succeeds();
  const { pid } = s.stateOf();
  const left = s.leftovers();
  assert.ok(left.includes(`process ${pid}: fdrunc-init`) || left.some((line) => line.startsWith(`process ${pid}: `)));
  assert.ok(left.includes(`cgroup ${cgroupOf("pids")}`));
  assert.ok(left.includes("state c"));
  assert.throws(() => s.assertNothingLeft(0));
});

asRoot("what is mounted, started or made elsewhere is seen, too", (s) => {
  const target = s.mountTmpfs("own");
  assert.deepEqual(s.leftovers(), []);
  mkdirSync(s.path("strange"));
  execFileSync("mount", ["--bind", target, s.path("strange")]);
  assert.match(s.leftovers().join("\n"), /^mount .*\/strange /);
  execFileSync("umount", [s.path("strange")]);
  rmSync(s.state, { recursive: true, force: true });
  writeFileSync(s.path("unrelated"), "");
  assert.deepEqual(s.leftovers(), []);
});
