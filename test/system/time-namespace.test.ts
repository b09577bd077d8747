import assert from "node:assert/strict";
import { chownSync, existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Hooks, TimeOffsets } from "../../src/generated/config.js";
import { asRoot, type FullConfig, type Scene, system } from "./harness.js";

/** A test in a scene, where the kernel has time namespaces. */
const timed = (name: string, run: (s: Scene, t: TestContext) => void, by = system) =>
  by(name, (s, t) => {
    if (!existsSync("/proc/self/timens_offsets")) return t.skip("needs time namespaces");
    run(s, t);
  });
const timedAsRoot: typeof system = (name, run) => timed(name, run, asRoot);

const inTime = (config: FullConfig, timeOffsets?: TimeOffsets) => {
  config.linux.namespaces.push({ type: "time" });
  if (timeOffsets !== undefined) config.linux.timeOffsets = timeOffsets;
};

const inUserNamespace = (config: FullConfig) => {
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  config.linux.gidMappings = config.linux.uidMappings;
};

/** Since the start of the machine, in seconds. */
const uptime = (text = readFileSync("/proc/uptime", "utf8")): number => Number(text.split(" ")[0]);

const DAY = 86_400;

timed("a container has clocks of its own, set apart from the host's", (s) => {
  const offsets = { monotonic: { secs: 3 * DAY, nanosecs: 7 }, boottime: { secs: 9 * DAY, nanosecs: 999_999_999 } };
  const before = uptime();
  const script = "cat /proc/uptime; readlink /proc/self/ns/time; cat /proc/self/timens_offsets";
  const out = s.sh(script, (config) => inTime(config, offsets));
  const [up, namespace, monotonic, boottime] = out.trimEnd().split("\n");
  const passed = uptime(up) - 9 * DAY - before;
  assert.ok(passed > 0 && passed < 60, `${passed} s`);
  assert.notEqual(namespace, readlinkSync("/proc/self/ns/time"));
  assert.match(monotonic, /^monotonic +259200 +7$/);
  assert.match(boottime, /^boottime +777600 +999999999$/);
});

timed("without offsets, or with one clock's, the others go on as the host's", (s) => {
  const shown = (timeOffsets?: TimeOffsets) =>
    s
      .sh("cat /proc/self/timens_offsets", (config) => inTime(config, timeOffsets))
      .trim()
      .split(/\s+/);
  assert.deepEqual(shown(), ["monotonic", "0", "0", "boottime", "0", "0"]);
  assert.deepEqual(shown({}), ["monotonic", "0", "0", "boottime", "0", "0"]);
  assert.deepEqual(shown({ boottime: { nanosecs: 5 } }), ["monotonic", "0", "0", "boottime", "0", "5"]);
});

timedAsRoot("in a user namespace", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const out = s.sh("id -u; cat /proc/uptime", (config) => {
    inUserNamespace(config);
    inTime(config, { boottime: { secs: 100 * DAY } });
    config.process.user = { uid: 5, gid: 5 };
  });
  const [user, up] = out.split("\n");
  assert.equal(user, "5");
  assert.ok(uptime(up) > 100 * DAY);
});

timedAsRoot("a time namespace is joined by its path, alone or with others", (s) => {
  const script = "readlink /proc/self/ns/time; cat /proc/uptime";
  for (const types of [[], ["pid"], ["user"], ["user", "pid", "network"]]) {
    chownSync(s.rootfs, 100_000, 100_000);
    s.write((config) => {
      if (types.includes("user")) inUserNamespace(config);
      inTime(config, { boottime: { secs: 50 * DAY } });
      config.process.args = ["sleep", "1000"];
    });
    s.create("first").succeeds();
    s.fdrunc(["start", "first"]).succeeds();
    const directory = `/proc/${s.stateOf("first").pid}/ns`;
    const files: Record<string, string> = { time: "time", user: "user", pid: "pid", network: "net" };
    const out = s.sh(script, (config) => {
      config.hostname = "";
      config.linux.cgroupsPath += "-second";
      config.linux.namespaces = [{ type: "mount" }, { type: "pid" }, { type: "ipc" }, { type: "network" }];
      for (const type of [...types, "time"] as const) {
        config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== type);
        config.linux.namespaces.push({ type: type as "time", path: `${directory}/${files[type]}` });
      }
    });
    const [namespace, up] = out.split("\n");
    assert.equal(namespace, readlinkSync(`${directory}/time`), String(types));
    assert.ok(uptime(up) > 50 * DAY, String(types));
    s.fdrunc(["delete", "--force", "first"]).succeeds();
  }
});

timedAsRoot("hooks of the container's run in its time, those of the runtime's do not", (s) => {
  const hook = (kind: string) => [
    { path: "/bin/sh", args: ["sh", "-c", `cat /proc/uptime > ${s.rootfs}/${kind}-hook`], env: ["PATH=/bin"] },
  ];
  const inside = [
    { path: "/bin/sh", args: ["sh", "-c", "cat /proc/uptime > /startContainer-hook"], env: ["PATH=/bin"] },
  ];
  for (const user of [false, true]) {
    chownSync(s.rootfs, user ? 100_000 : 0, 0);
    rmSync(`${s.rootfs}/startContainer-hook`, { force: true });
    s.sh("true", (config) => {
      if (user) inUserNamespace(config);
      inTime(config, { boottime: { secs: 70 * DAY } });
      config.root.readonly = false;
      const hooks: Hooks = {
        createRuntime: hook("createRuntime"),
        startContainer: inside,
        poststart: hook("poststart"),
      };
      config.hooks = user ? { startContainer: inside } : { ...hooks, createContainer: hook("createContainer") };
    });
    const saw = (kind: string) => uptime(readFileSync(`${s.rootfs}/${kind}-hook`, "utf8")) > 70 * DAY;
    assert.equal(saw("startContainer"), true);
    if (user) continue;
    assert.deepEqual(["createRuntime", "createContainer", "poststart"].map(saw), [false, true, false]);
  }
});

timed("a hook that is not there, or fails, is told in a time namespace as elsewhere", (s) => {
  const failing = (path: string) => {
    s.write((config) => {
      inTime(config);
      config.hooks = { createContainer: [{ path }] };
    });
    const message = s.create().fails();
    s.assertNothingLeft();
    return message;
  };
  assert.match(failing("/absent"), /^hooks\.createContainer\[0\]: exec "\/absent": execve: no such file .*\(ENOENT\)/);
  assert.equal(failing("/bin/false"), 'hooks.createContainer[0]: "/bin/false": exit status 1');
});

timedAsRoot("what the kernel does not set a clock to is told by its path, and nothing is left", (s) => {
  s.write((config) => inTime(config, { boottime: { secs: -1000 * DAY } }));
  assert.match(
    s.run().fails(),
    /^linux\.timeOffsets: set the clocks of the time namespace \(step \d+\): write: .*\(ERANGE\) \(clocks start at zero/,
  );
  s.assertNothingLeft();
  s.write((config) => {
    config.linux.namespaces.push({ type: "time", path: "/proc/self/ns/uts" });
  });
  assert.match(
    s.run().fails(),
    /^linux\.namespaces\[\d\]\.path: "\/proc\/self\/ns\/uts": not a time namespace but a uts namespace$/,
  );
  chownSync(s.rootfs, 100_000, 100_000);
  s.write((config) => {
    inUserNamespace(config);
    config.linux.namespaces.push({ type: "time", path: "/proc/self/ns/time" });
  });
  assert.match(
    s.run().fails(),
    /^linux\.namespaces\[\d\]\.path: join the time namespace of .*\(EPERM\).*user namespace\)$/,
  );
  s.assertNothingLeft();
});
