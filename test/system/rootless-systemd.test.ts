import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type FullConfig, system, TAG } from "./harness.js";
import { as, Bundle, isForAll } from "./ordinary.js";

/** A user whom the machine knows, since systemd is to know them; the virtual machine for tests has one of that name. */
const NAME = "tester";
const uid = Number(new RegExp(`^${NAME}:[^:]*:(\\d+):`, "m").exec(readFileSync("/etc/passwd", "utf8"))?.[1]);

/** Why there is nothing to test with; false where there is. */
const MISSING = !existsSync("/run/systemd/system")
  ? "needs systemd"
  : Number.isNaN(uid)
    ? `needs a user "${NAME}"`
    : !isForAll && "needs an fdrunc that everybody can execute";

// Before the first scene is made, since no mounts reach its namespace: the one on /run/user would not.
if (!MISSING) spawnSync("systemctl", ["start", `user@${uid}`]);

system("an ordinary user: the user's own systemd makes, changes and removes cgroups", (s, t) => {
  if (MISSING) return t.skip(MISSING);
  const b = new Bundle(s, ["env", `XDG_RUNTIME_DIR=/run/user/${uid}`, ...as(uid)], uid);
  b.write(({ process, linux }: FullConfig) => {
    process.args = ["sleep", "1000"];
    linux.cgroupsPath = `:${TAG}:own`;
    linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 17 } };
  });
  const call = (...args: string[]) => b.fdrunc(["--cgroup-manager=systemd", ...args]).succeeds();
  call("create", "c");
  const place = `/user.slice/user-${uid}.slice/user@${uid}.service/user.slice/${TAG}-own.scope`;
  const { pid } = JSON.parse(call("state", "c"));
  assert.equal(readFileSync(`/proc/${pid}/cgroup`, "utf8"), `0::${place}\n`);
  const read = (file: string) => readFileSync(join("/sys/fs/cgroup", place, file), "utf8").trim();
  assert.deepEqual([read("memory.max"), read("pids.max")], [String(64 << 20), "17"]);
  call("start", "c");
  call("update", "--pids-limit", "19", "c");
  assert.equal(read("pids.max"), "19");
  call("pause", "c");
  assert.equal(read("cgroup.freeze"), "1");
  call("resume", "c");
  assert.equal(call("exec", "c", "cat", "/proc/self/cgroup"), `0::${place}\n`);
  call("delete", "--force", "c");
  eventually(() => assert.ok(!existsSync(join("/sys/fs/cgroup", place))));
});
