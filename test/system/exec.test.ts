import assert from "node:assert/strict";
import { chownSync, readFileSync, readlinkSync } from "node:fs";
import { sleep } from "../../src/linux/sleep.js";
import { added, running } from "./exec-scene.js";
import {
  asRoot,
  eventually,
  FORM,
  type FullConfig,
  type Result,
  type Scene,
  system,
  withCgroups,
  withIds,
} from "./harness.js";
import { besideRunc } from "./pair.js";

const NAMESPACES = ["pid", "net", "ipc", "uts", "mnt", "cgroup", "user"];

/** What a process is confined by and lives in, but for its terminal and its session. */
const CONFINEMENT = [
  "grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig(Ign|Blk|Cgt))' /proc/PID/status",
  "cat /proc/PID/cgroup /proc/PID/limits /proc/PID/mountinfo /proc/PID/oom_score_adj",
  ...NAMESPACES.map((type) => `readlink /proc/PID/ns/${type}`),
].join("; ");

/** Asserts that a process that is added is confined as the container's first one is. */
function likeTheFirst(s: Scene, change: (config: FullConfig) => void): void {
  running(s, change);
  const told = added(s, `${CONFINEMENT.replaceAll("PID", "1")}; echo ==; ${CONFINEMENT.replaceAll("PID", "self")}`);
  const [first, own] = told.split("==\n");
  assert.ok(first.split("\n").length > 40, first);
  assert.equal(own, first);
  s.fdrunc(["delete", "--force", "c"]).succeeds();
}

/** Lets root look at what the first process has: that takes as many capabilities as it has. */
function confined(config: FullConfig): void {
  config.process.rlimits = [
    { type: "RLIMIT_NOFILE", soft: 600, hard: 600 },
    { type: "RLIMIT_CORE", soft: 1, hard: 2 },
  ];
  // Ordinary users may only raise the score that they have.
  config.process.oomScoreAdj = Number(readFileSync("/proc/self/oom_score_adj", "utf8")) + 77;
  config.process.user = { uid: 0, gid: 0, umask: 0o27, additionalGids: [5, 6] };
  config.linux.resources = { ...config.linux.resources, memory: { limit: 100_000_000 }, pids: { limit: 50 } };
  config.linux.seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 71 }],
  };
}

withCgroups("a process that is added has the first one's namespaces, cgroups and confinement", (s) =>
  likeTheFirst(s, confined),
);

withCgroups("so it has with a cgroup namespace, and without no_new_privs", (s) =>
  likeTheFirst(s, (config) => {
    confined(config);
    config.linux.namespaces.push({ type: "cgroup" });
    config.process.noNewPrivileges = false;
  }),
);

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/** Puts a container in a user namespace. */
function mapped(s: Scene, config: FullConfig): void {
  chownSync(s.rootfs, 100_000, 100_000);
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = MAPS;
  config.linux.gidMappings = MAPS;
}

asRoot("so it has in a user namespace, where it is the namespace's root", (s) => {
  likeTheFirst(s, (config) => {
    confined(config);
    mapped(s, config);
    config.linux.namespaces.push({ type: "cgroup" });
  });
  running(s, (config) => mapped(s, config));
  assert.equal(added(s, "cat /proc/self/uid_map | tr -s ' '; id -u"), " 0 100000 65536\n0\n");
  assert.equal(added(s, "id -u; id -g", "--user", "1000:1000"), "1000\n1000\n");
});

asRoot("namespaces that the container has joined are joined, those that it shares are shared", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.linux.namespaces.push({ type: "cgroup" });
  });
  s.run("first", "--detach").succeeds();
  const { pid } = s.stateOf("first");
  const path = (file: string) => `/proc/${pid}/ns/${file}`;
  const joins = (type: "pid" | "network" | "cgroup", file: string) => ({ type, path: path(file) });
  const told = NAMESPACES.map((type) => `readlink /proc/self/ns/${type}`).join("; ");
  const expect = (own: string[], joined: string[]) => {
    const second = s.stateOf().pid;
    const of = (type: string) => (own.includes(type) ? second : joined.includes(type) ? pid : "self");
    const links = NAMESPACES.map((type) => `${readlinkSync(`/proc/${of(type)}/ns/${type}`)}\n`);
    assert.equal(added(s, told), links.join(""));
    s.fdrunc(["delete", "--force", "c"]).succeeds();
  };
  running(s, (config) => {
    config.linux.cgroupsPath += "2";
    config.linux.namespaces = [{ type: "mount" }, joins("pid", "pid"), joins("network", "net"), { type: "uts" }];
  });
  expect(["mnt", "uts"], ["pid", "net"]);
  running(s, (config) => {
    config.linux.cgroupsPath += "2";
    config.linux.namespaces = [{ type: "mount" }, { type: "pid" }, joins("network", "net"), joins("cgroup", "cgroup")];
    config.hostname = "";
    config.mounts = config.mounts.filter(({ destination }) => !/^.(sys|dev.mqueue)/.test(destination));
    mapped(s, config);
  });
  expect(["mnt", "pid", "user"], ["net", "cgroup"]);
});

asRoot("without any namespace of the container's, its root is entered all the same", (s) => {
  running(s, (config) => {
    config.linux = { cgroupsPath: config.linux.cgroupsPath as string, ...({} as FullConfig["linux"]) };
    config.linux.namespaces = [];
    config.mounts = [];
    config.root.readonly = false;
    config.hostname = "";
  });
  assert.equal(added(s, "cd /; ls -d bin; pwd; ls / | wc -l"), "bin\n/\n1\n");
  const pidFile = s.path("pid");
  s.fdrunc(["exec", "--detach", "--pid-file", pidFile, "c", "sleep", "1000"]).succeeds();
  // No process id namespace ends it along with init.
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  s.assertNothingLeft();
});

system("a read-only root stays so, and a filter of the container's decides", (s) => {
  running(s, (config) => {
    config.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 71 }],
    };
  });
  assert.match(added(s, "touch /x 2>&1; mkdir /dev/shm/x 2>&1; true"), /Read-only file system.*\n.*Protocol error/i);
});

system("the exit status is the program's; its streams are exec's", (s) => {
  running(s);
  const exits = (script: string): Result => s.fdrunc(["exec", "c", "sh", "-c", script]);
  assert.equal(exits("exit 7").status, 7);
  assert.equal(exits("kill -9 $$").status, 137);
  const result = exits("echo out; echo err >&2");
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, "out\n", "err\n"]);
  // It is in the container's process id namespace, and leads a session.
  assert.match(added(s, "awk '{ print ($1 == $6), ($4 == 0), ($1 > 1) }' /proc/$$/stat"), /^1 1 1$/m);
  assert.equal(added(s, "ls /proc/self/fd"), "0\n1\n2\n3\n");
});

withIds("options end at the id: what follows belongs to the program", (s) => {
  running(s);
  const puts = (...args: string[]) => s.fdrunc(["exec", "c", ...args]).succeeds();
  assert.equal(puts("printf", "%s ", "-root", "-e", "--cwd", "--", "-cap=1"), "-root -e --cwd -- -cap=1 ");
  assert.equal(
    s.fdrunc(["exec", "-cwd", "/bin", "-user=5:6", "c", "sh", "-c", "pwd; id -u; id -g"]).stdout,
    "/bin\n5\n6\n",
  );
});

withCgroups("a created container takes processes, too; a stopped and a paused one do not", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  s.create().succeeds();
  assert.equal(added(s, "echo early"), "early\n");
  s.fdrunc(["start", "c"]).succeeds();
  s.fdrunc(["pause", "c"]).succeeds();
  assert.match(s.fdrunc(["exec", "c", "true"]).fails(255), /cannot exec in a paused container/);
  s.fdrunc(["resume", "c"]).succeeds();
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  assert.match(s.fdrunc(["exec", "c", "true"]).fails(255), /container not running/);
  assert.match(s.fdrunc(["exec", "d", "true"]).fails(255), /does not exist/);
});

system("exec and delete at the same time: the process is added, or told that there is no such container", async (s) => {
  for (let round = 0; round < (FORM === "node" ? 2 : 20); round++) {
    running(s);
    const { ended } = s.start(["exec", "c", "true"]);
    sleep(round % 10);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
    const { status, stderr } = await ended;
    // Killed with the container, or too late for it.
    if (status !== 0 && status !== 137)
      assert.match(
        stderr,
        /^fdrunc: (container "c" does not exist|cannot exec in container "c": container not running .*)$/m,
      );
  }
});

withCgroups("--ignore-paused waits until the container is resumed", async (s) => {
  running(s);
  s.fdrunc(["pause", "c"]).succeeds();
  const { child, ended } = s.start(["exec", "--ignore-paused", "c", "echo", "late"]);
  eventually(() => assert.equal(JSON.parse(s.fdrunc(["ps", "--format", "json", "c"]).stdout).length, 2));
  assert.equal(child.exitCode, null);
  s.fdrunc(["resume", "c"]).succeeds();
  assert.equal((await ended).succeeds(), "late\n");
});

asRoot("delete --force ends what was added", async (s) => {
  running(s);
  const { ended } = s.start(["exec", "c", "sh", "-c", "sleep 1000"]);
  eventually(() => assert.match(s.fdrunc(["ps", "c"]).stdout, /sleep 1000\n.*sleep 1000\n/));
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  assert.equal((await ended).status, 137);
  s.assertNothingLeft();
});

system("signals sent to exec reach the program", async (s) => {
  running(s);
  const script = "trap 'exit 9' TERM; touch /dev/shm/up; while :; do sleep 0.05; done";
  const { child, ended } = s.start(["exec", "c", "sh", "-c", script]);
  eventually(() => assert.equal(added(s, "ls /dev/shm"), "up\n"));
  child.kill("SIGTERM");
  assert.equal((await ended).status, 9);
});

const SHOWN =
  "grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; id; pwd; env | sort; ls /proc/self/fd";

besideRunc("exec gives a process the same", (pair) => {
  pair.run((config) => {
    confined(config);
    config.process.env.push("HOME=/tmp");
  });
  const ask = [SHOWN, "cat /proc/self/limits /proc/self/oom_score_adj", "sed '/^0::/d; s,/[^/]*$,,' /proc/self/cgroup"];
  for (const flags of [
    [],
    ["--user", "5"],
    ["--user", "5:6", "-g", "7", "-g", "8"],
    ["--cap", "CAP_SYS_TIME"],
    ["-e", "A=1"],
  ]) {
    const [ours, theirs] = pair.both(["exec", ...flags, "c", "sh", "-c", ask.join("; ")]);
    assert.deepEqual([ours.status, ours.stderr], [0, ""]);
    // The filters are two in runc's: its own comes on top of the config's. It leaves the umask to the caller, and makes
    // a cgroup v2 where nothing needs one.
    const same = (text: string) => text.replace(/^(Seccomp_filters|Umask):.*\n/gm, "");
    assert.equal(same(ours.stdout), same(theirs.stdout), flags.join(" "));
  }
  for (const args of [["exit 3"], ["kill -15 $$"]]) pair.same(["exec", "c", "sh", "-c", ...args]);
});

besideRunc("what exec refuses", (pair) => {
  pair.run(() => {});
  pair.same(["exec", "c", "nosuch"], "executable file not found in $PATH");
  pair.same(["exec", "c", "/nosuch"], "no such file or directory");
  pair.same(["exec", "c", "/proc"], "permission denied");
  pair.same(["exec", "c"], "process args cannot be empty");
  pair.same(["exec", "-e", "A", "c", "true"], "A");
  pair.same(["exec", "-u", "name", "c", "true"], "name");
  pair.same(["exec", "absent", "true"], "does not exist");
  pair.same(["exec", "--cwd", "relative", "c", "true"], "absolute path");
  pair.same(["exec", "--process", "/absent", "c"], "no such file or directory");
  pair.both(["pause", "c"]);
  pair.same(["exec", "c", "true"], "cannot exec in a paused container");
  pair.both(["resume", "c"]);
  pair.both(["kill", "c", "KILL"]);
  eventually(() => pair.same(["exec", "c", "true"], "cannot exec in a stopped container"));
});
