import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { system, TAG } from "./harness.js";

system("what a container leaves is seen: its process, its cgroups, its state", (s) => {
  s.create().succeeds();
  const { pid } = s.stateOf();
  const left = s.leftovers();
  assert.ok(left.includes(`process ${pid}: fdrunc-init`) || left.some((line) => line.startsWith(`process ${pid}: `)));
  assert.ok(left.some((line) => new RegExp(`^cgroup .*/${TAG}/c$`).test(line)));
  assert.ok(left.includes("state c"));
  assert.throws(() => s.assertNothingLeft(0));
});

system("what is mounted, started or made elsewhere is seen, too", (s) => {
  s.mountTmpfs("mounted");
  assert.match(s.leftovers().join("\n"), /^mount .*\/mounted /);
  rmSync(s.state, { recursive: true, force: true });
  writeFileSync(s.path("unrelated"), "");
  assert.equal(s.leftovers().length, 1);
});
