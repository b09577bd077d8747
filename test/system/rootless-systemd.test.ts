import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asRoot, eventually, type FullConfig, type Result, TAG } from "./harness.js";
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

/** A test with a bundle of that user's; `call` is fdrunc as they call it, from outside of their systemd's cgroups. */
function underUserSystemd(name: string, run: (b: Bundle, call: (...args: string[]) => Result) => void): void {
  asRoot(`an ordinary user: ${name}`, (s, t) => {
    if (MISSING) return t.skip(MISSING);
    const b = new Bundle(s, ["env", `XDG_RUNTIME_DIR=/run/user/${uid}`, ...as(uid)], uid);
    run(b, (...args) => b.fdrunc(["--cgroup-manager=systemd", ...args]));
  });
}

const PLACE = `/user.slice/user-${uid}.slice/user@${uid}.service/user.slice/${TAG}-own.scope`;

underUserSystemd("the user's own systemd makes, changes and removes cgroups", (b, fdrunc) => {
  b.write(({ process, linux }: FullConfig) => {
    process.args = ["sleep", "1000"];
    linux.cgroupsPath = `:${TAG}:own`;
    linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 17 } };
  });
  const call = (...args: string[]) => fdrunc(...args).succeeds();
  call("create", "c");
  const { pid } = JSON.parse(call("state", "c"));
  assert.equal(readFileSync(`/proc/${pid}/cgroup`, "utf8"), `0::${PLACE}\n`);
  const read = (file: string) => readFileSync(join("/sys/fs/cgroup", PLACE, file), "utf8").trim();
  assert.deepEqual([read("memory.max"), read("pids.max")], [String(64 << 20), "17"]);
  call("start", "c");
  call("update", "--pids-limit", "19", "c");
  assert.equal(read("pids.max"), "19");
  call("pause", "c");
  assert.equal(read("cgroup.freeze"), "1");
  call("resume", "c");
  assert.equal(call("exec", "c", "cat", "/proc/self/cgroup"), `0::${PLACE}\n`);
  call("delete", "--force", "c");
  eventually(() => assert.ok(!existsSync(join("/sys/fs/cgroup", PLACE))));
});

underUserSystemd("limits hold", (b, fdrunc) => {
  const run = (script: string, resources: FullConfig["linux"]["resources"]) => {
    b.write(({ process, linux }: FullConfig) => {
      process.args = ["sh", "-c", script];
      linux.cgroupsPath = `:${TAG}:own`;
      linux.resources = resources;
    });
    return fdrunc("run", "c");
  };
  assert.match(run("sleep 1 & sleep 1 & sleep 1 & wait", { pids: { limit: 2 } }).stderr, /can't fork/);
  const memory = { limit: 16 << 20, swap: 16 << 20 };
  assert.equal(run("head -c 8m /dev/zero | tail | wc -c", { memory }).stdout, `${8 << 20}\n`);
  assert.equal(run("head -c 64m /dev/zero | tail | wc -c", { memory }).stdout, "0\n");
});

underUserSystemd("startContainer hooks are in the container's cgroup", (b, fdrunc) => {
  const out = b.s.path("out");
  mkdirSync(out);
  chmodSync(out, 0o777);
  b.write((config) => {
    config.process.args = ["cat", "/proc/self/cgroup"];
    config.linux.cgroupsPath = `:${TAG}:own`;
    config.mounts.push({ destination: "/out", type: "bind", source: out, options: ["bind"] });
    config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat /proc/self/cgroup > /out/hook"] }] };
  });
  assert.equal(fdrunc("run", "c").succeeds(), `0::${PLACE}\n`);
  assert.equal(readFileSync(join(out, "hook"), "utf8"), `0::${PLACE}\n`);
});
