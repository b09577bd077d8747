import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SYSCALLS } from "../../src/linux/syscalls.js";
import { shared } from "../folders.js";
import { asRoot, type Scene, SYSTEMD } from "./harness.js";
import { follow, planOf, traceInit } from "./trace.js";

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

const plan = (s: Scene, flags: string[] = [], under: string[] = []): string =>
  s.fdrunc(["plan", ...flags, "c"], { under }).succeeds();

asRoot("plan prints every system call that init makes, numbered, and none that it does not", async (s, t) => {
  if (spawnSync("strace", ["-V"]).status !== 0) return t.skip("needs strace");
  s.write((config) => {
    config.process.args = ["sh", "-c", "exit 0"];
    config.process.user = { uid: 5, gid: 6, additionalGids: [7] };
  });
  const steps = planOf(s);
  assert.deepEqual(
    steps.map(({ number }) => number),
    steps.map((_, i) => i + 1),
  );
  const made = follow(steps, await traceInit(s));
  assert.equal(made.at(-1), steps.findLast(({ call }) => call === "execve")?.number);
  t.diagnostic(`${made.length} of ${steps.length} steps are made`);
});

asRoot("plan works as an ordinary user, and touches nothing", (s, t) => {
  if (SYSTEMD) return t.skip("needs cgroupfs as the manager: the user has no systemd");
  const before = s.leftovers();
  const numbers = (text: string) => [...text.matchAll(/^ *(\d+) {2}/gm)].map((match) => Number(match[1]));
  const text = plan(s, [], NOBODY);
  assert.deepEqual(
    numbers(text),
    Array.from({ length: numbers(text).length }, (_, i) => i + 1),
  );
  assert.match(
    text,
    /^# mount proc on "\/proc" {2}\(mounts\[0\]\)\n *\d+ {2}openat2\(%root, "proc", \{O_PATH\|O_DIRECTORY/m,
  );
  assert.match(text, /^ *\d+ {2}execve\("\/bin\/true", \["true"\], \["PATH=/m);
  assert.deepEqual(s.leftovers(), before);
  const steps = JSON.parse(plan(s, ["--format", "json"], NOBODY));
  assert.equal(steps.length, numbers(text).length);
  for (const { call, text: line } of steps) {
    assert.ok(call === undefined || call in SYSCALLS, call);
    assert.doesNotMatch(line, /undefined|NaN|\[object/);
  }
});

asRoot("configs as engines write them load, validate and plan", (s, t) => {
  const folder = shared("engine-configs");
  if (folder === undefined) return t.skip("needs the configurations in ../shared/engine-configs");
  if (SYSTEMD) return t.skip("needs cgroupfs as the manager, for the configurations' paths");
  const files = readdirSync(folder).filter((file) => file.endsWith(".json") && !file.endsWith("-process.json"));
  assert.ok(files.length > 5);
  for (const file of files) {
    const config = JSON.parse(readFileSync(join(folder, file), "utf8"));
    config.root.path = s.rootfs;
    writeFileSync(s.path(file), JSON.stringify(config));
    const text = plan(s, ["--config", s.path(file)], NOBODY);
    for (const { destination } of config.mounts) assert.ok(text.includes(JSON.stringify(destination)), destination);
    if (config.linux.seccomp)
      assert.match(text, /^# load the seccomp filter of \d+ instructions {2}\(linux\.seccomp\)$/m);
    for (const [index, { path }] of (config.linux.namespaces as { path?: string }[]).entries())
      if (path) assert.ok(text.includes(`linux.namespaces[${index}].path`), path);
    assert.match(text, /execve\(/);
  }
});
