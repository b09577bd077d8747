import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ConsoleSocket } from "./console.js";
import { asRoot, eventually, FDRUNC, FORM, type FullConfig } from "./harness.js";
import { as, Bundle, giveIds, IDS, LACKING, mapRange, ordinary, USER } from "./ordinary.js";

ordinary("root in a container with no other id, by what `spec --rootless` writes", (b) => {
  const { s } = b;
  const directory = s.path("spec");
  mkdirSync(directory);
  chownSync(directory, USER, USER);
  b.fdrunc(["spec", "--rootless", "--bundle", directory]).succeeds();
  const written = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
  const { terminal: _, ...rest } = written.process;
  const script =
    "id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; grep CapEff /proc/self/status; hostname; " +
    "head -c 1 /dev/zero | wc -c; stat -c %F:%t:%T /dev/null; ls /dev/pts/ptmx; touch /x 2>&1; touch /data/file; " +
    "mkdir /sys/fs/cgroup/x 2>&1";
  mkdirSync(s.path("data"));
  chownSync(s.path("data"), USER, USER);
  written.mounts.push({ destination: "/data", type: "bind", source: s.path("data"), options: ["rbind", "rw"] });
  s.writeText(JSON.stringify({ ...written, process: { ...rest, args: ["sh", "-c", script] } }));
  const { status, stdout } = b.run();
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], "uid=0 gid=0");
  for (const map of lines.slice(1, 3)) assert.match(map, new RegExp(`^ +0 +${USER} +1$`));
  assert.deepEqual(lines.slice(3, -1), [
    "deny",
    "CapEff:\t0000000020000420",
    "fdrunc",
    "1",
    "character special file:1:3",
    "/dev/pts/ptmx",
    "touch: /x: Read-only file system",
  ]);
  assert.match(lines.at(-1) as string, /^mkdir: can't create directory '\/sys\/fs\/cgroup\/x': /);
  assert.equal(status, 1);
  const { uid, gid } = statSync(s.path("data/file"));
  assert.deepEqual([uid, gid], [USER, USER]);
  s.assertNothingLeft();
});

ordinary("each command, and a state directory that is that user's alone", (b) => {
  const { s } = b;
  rmdirSync(s.state);
  chmodSync(s.directory, 0o777);
  b.write(({ process }) => {
    process.args = ["sleep", "1000"];
  });
  b.fdrunc(["create", "c"]).succeeds();
  const state = () => JSON.parse(b.fdrunc(["state", "c"]).succeeds());
  assert.deepEqual([state().status, state().owner], ["created", String(USER)]);
  const modes = ["", "c", "c/state.json", "c/config.json"].map((name) => statSync(join(s.state, name)).mode & 0o7777);
  assert.deepEqual(modes, [0o1700, 0o700, 0o600, 0o600]);
  b.fdrunc(["start", "c"]).succeeds();
  assert.equal(state().status, "running");
  assert.equal(b.fdrunc(["list", "--quiet"]).succeeds(), "c\n");
  assert.match(b.fdrunc(["delete", "c"]).fails(), /not stopped/);
  b.fdrunc(["kill", "--all", "c", "KILL"]).succeeds();
  eventually(() => assert.equal(state().status, "stopped"));
  b.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

ordinary("a range of ids, mapped by newuidmap and newgidmap", (b, t) => {
  if (!giveIds(b, t)) return;
  const directory = b.s.path("data");
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  const script =
    "id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/self/oom_score_adj; touch /data/f";
  const out = b.sh(script, (config) => {
    mapRange(config);
    config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 1002] };
    config.process.oomScoreAdj = 500;
    config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }];
    config.mounts.push({ destination: "/data", type: "bind", source: directory, options: ["bind"] });
    config.mounts.find(({ type }) => type === "devpts")?.options?.push("gid=5");
  });
  const map = `0 ${USER} 1 1 ${IDS.first} ${IDS.count}`;
  assert.equal(out.trim().replace(/\s+/g, " "), `uid=1000 gid=1001 groups=5,1002 ${map} ${map} allow 500`);
  const { uid, gid } = statSync(join(directory, "f"));
  assert.deepEqual([uid, gid], [IDS.first + 999, IDS.first + 1000]);
});

ordinary("what is added has the container's score, by a file, too", (b) => {
  b.write(({ process }) => {
    process.args = ["sleep", "1000"];
    process.oomScoreAdj = 500;
  });
  b.fdrunc(["run", "--detach", "c"]).succeeds();
  const score = ["cat", "/proc/self/oom_score_adj"];
  assert.equal(b.fdrunc(["exec", "c", ...score]).succeeds(), "500\n");
  const file = b.s.path("process.json");
  writeFileSync(file, JSON.stringify({ cwd: "/", args: score, env: ["PATH=/bin"] }));
  assert.equal(b.fdrunc(["exec", "--process", file, "c"]).succeeds(), "500\n");
  b.fdrunc(["delete", "--force", "c"]).succeeds();
});

ordinary("root of the container is another id than the user's", (b, t) => {
  if (!giveIds(b, t)) return;
  for (const name of ["proc", "dev", "sys"]) mkdirSync(join(b.s.rootfs, name));
  const out = b.sh("id; cat /proc/self/uid_map; stat -c %u:%g /", ({ linux }) => {
    linux.uidMappings = [{ containerID: 0, hostID: IDS.first, size: 10 }];
    linux.gidMappings = linux.uidMappings;
  });
  assert.equal(out.trim().replace(/\s+/g, " "), `uid=0 gid=0 0 ${IDS.first} 10 65534:65534`);
});

ordinary("mounts keep the attributes that are locked; a sysfs and a devpts are had all the same", (b) => {
  const source = b.s.mountTmpfs("locked", "-o", "ro,nosuid,nodev,noexec");
  const out = b.sh("cat /proc/self/mountinfo; touch /m/x 2>&1; true", ({ mounts, linux }) => {
    const options = ["rbind", "rw", "suid", "dev", "noatime", "nosymfollow"];
    mounts.push({ destination: "/m", type: "bind", source, options });
    mounts.push({ destination: "/m", type: "bind", source, options: ["remount", "bind", "rw"] });
    mounts.push({ destination: "/again", type: "bind", source, options: ["bind", "ro"] });
    const sys = mounts.findIndex(({ destination }) => destination === "/sys");
    mounts[sys] = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] };
    mounts.find(({ type }) => type === "devpts")?.options?.push("gid=5");
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
  });
  const options = (path: string) => new RegExp(`^(?:\\S+ ){4}${path} (\\S+) `, "m").exec(out)?.[1].split(",") ?? [];
  for (const name of ["ro", "nosuid", "nodev", "noexec", "nosymfollow"]) assert.ok(options("/m").includes(name), out);
  assert.ok(!options("/m").includes("noatime"), out);
  assert.ok(options("/sys").includes("ro"));
  assert.match(out, / - devpts devpts rw,mode=620,ptmxmode=666$/m);
  assert.match(out, /touch: \/m\/x: Read-only file system\n$/);
});

ordinary("procfs of the host's process ids stands in where the container has none of its own", (b) => {
  const out = b.sh("readlink /proc/self/ns/pid", ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "pid");
  });
  assert.equal(out, `${readlinkSync("/proc/self/ns/pid")}\n`);
});

ordinary("a network namespace, sysctls, a filter without no_new_privs", (b) => {
  const script = "cat /proc/sys/net/ipv4/ip_forward; mkdir /dev/shm/x 2>&1; grep Seccomp: /proc/self/status";
  const out = b.sh(script, ({ linux, process }) => {
    linux.namespaces.push({ type: "network" });
    linux.sysctl = { "net.ipv4.ip_forward": "1" };
    linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }],
    };
    process.noNewPrivileges = false;
  });
  assert.equal(out, "1\nmkdir: can't create directory '/dev/shm/x': Operation not permitted\nSeccomp:\t2\n");
});

ordinary("hooks run in the user's namespaces, or in the container's as its root", (b) => {
  const { s } = b;
  const out = s.path("hooks");
  mkdirSync(out);
  chmodSync(out, 0o777);
  const hook = (name: string) => ({
    path: "/bin/sh",
    args: ["sh", "-c", `cat > ${out}/${name}; { id -u; readlink /proc/self/ns/user; } > ${out}/${name}`],
  });
  const own = readlinkSync("/proc/self/ns/user");
  const kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] as const;
  const inside = b.sh("cat /dev/shm/hook; readlink /proc/self/ns/user", (config) => {
    config.hooks = Object.fromEntries(kinds.map((kind) => [kind, [hook(kind)]]));
    config.hooks.startContainer = [{ path: "/bin/sh", args: ["sh", "-c", "id -u > /dev/shm/hook"] }];
  });
  const [idInside, namespace] = inside.trimEnd().split("\n");
  assert.equal(idInside, "0");
  assert.notEqual(namespace, own);
  for (const kind of kinds)
    assert.equal(
      readFileSync(join(out, kind), "utf8"),
      kind === "createContainer" ? `0\n${namespace}\n` : `${USER}\n${own}\n`,
      kind,
    );
});

ordinary("namespaces of that user's other container are joined by their paths", (b) => {
  b.write(({ process }) => {
    process.args = ["sleep", "1000"];
  });
  b.fdrunc(["create", "first"]).succeeds();
  b.fdrunc(["start", "first"]).succeeds();
  const { pid } = JSON.parse(b.fdrunc(["state", "first"]).succeeds());
  const files: Record<string, string> = { user: "user", pid: "pid", ipc: "ipc", uts: "uts" };
  const out = b.sh("cat /proc/1/cmdline; echo; readlink /proc/self/ns/user", (config) => {
    config.hostname = "";
    config.linux.uidMappings = [];
    config.linux.gidMappings = [];
    config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
      type in files ? { type, path: `/proc/${pid}/ns/${files[type]}` } : { type },
    );
  });
  assert.equal(out, `sleep\x001000\0\n${readlinkSync(`/proc/${pid}/ns/user`)}\n`);
  b.fdrunc(["delete", "--force", "first"]).succeeds();
  b.s.assertNothingLeft();
});

ordinary("a terminal", (b, t) => {
  if (!giveIds(b, t)) return;
  b.write((config) => {
    mapRange(config);
    config.process.terminal = true;
    config.process.user = { uid: 7, gid: 7 };
    config.process.args = ["sh", "-c", "tty; stat -c %u /dev/pts/0; stty size < /dev/console"];
    config.process.consoleSize = { height: 20, width: 50 };
  });
  const socket = new ConsoleSocket(b.s);
  chmodSync(socket.path, 0o777);
  b.fdrunc(["create", "--console-socket", socket.path, "c"]).succeeds();
  const terminal = socket.accept();
  b.fdrunc(["start", "c"]).succeeds();
  assert.equal(terminal.expect().replaceAll("\r", ""), "/dev/pts/0\n7\n20 50\n");
  terminal.close();
  b.fdrunc(["delete", "--force", "c"]).succeeds();
});

asRoot("root in a user namespace that somebody else made: without one of the container's own", (s, t) => {
  if (LACKING) return t.skip(LACKING);
  const b = new Bundle(s, [...as(USER), "unshare", "--user", "--map-root-user", "--mount"]);
  const script =
    "cat /proc/self/uid_map; id; echo > /dev/null; stat -c %F:%t:%T /dev/null; readlink /proc/self/ns/user; ls /sys/fs";
  const out = b.sh(script, (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "user");
    config.linux.uidMappings = [];
    config.linux.gidMappings = [];
    config.linux.resources = { devices: [{ allow: false, access: "rwm" }] };
    const sys = config.mounts.findIndex(({ destination }) => destination === "/sys");
    config.mounts[sys] = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] };
  });
  assert.match(out, new RegExp(`^ +0 +${USER} +1\nuid=0 gid=0\ncharacter special file:1:3\n`));
  // And one of its own inside that.
  const nested = b.sh("cat /proc/self/uid_map", ({ linux }) => {
    linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
    linux.gidMappings = linux.uidMappings;
  });
  assert.match(nested, /^ +0 +0 +1\n$/);
});

ordinary("fdrunc in a container of fdrunc's", (b, t) => {
  if (FORM === "node") return t.skip("needs an fdrunc in one file");
  const { s } = b;
  b.write(({ process }) => {
    process.args = ["sh", "-c", "echo inner; cat /proc/self/uid_map; readlink /proc/1/exe"];
  });
  const inner = join(s.rootfs, "inner");
  mkdirSync(inner);
  const config = JSON.parse(readFileSync(join(s.bundle, "config.json"), "utf8"));
  config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
  config.linux.gidMappings = config.linux.uidMappings;
  writeFileSync(join(inner, "config.json"), JSON.stringify({ ...config, root: { path: "/", readonly: true } }));
  chmodSync(inner, 0o755);
  writeFileSync(join(s.rootfs, "fdrunc"), "");
  const outer = (change: (config: FullConfig) => void) => {
    b.write((config) => {
      config.process.args = ["/fdrunc", "--root", "/dev/shm/state", "run", "--bundle", "/inner", "c"];
      config.mounts.push({ destination: "/fdrunc", type: "bind", source: FDRUNC[0], options: ["bind", "ro"] });
      const all = ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_SYS_CHROOT"];
      config.process.capabilities = { bounding: all, permitted: all, effective: all };
      change(config);
    });
    return b.run();
  };
  const { status, stdout, stderr } = outer((whole) => {
    // The kernel makes a new procfs only where the old one is to be seen whole.
    whole.linux.maskedPaths = [];
    whole.linux.readonlyPaths = [];
  });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^inner\n +0 +0 +1\n\/bin\/busybox\n$/);
  assert.match(
    outer(() => {}).fails(),
    /: mount proc on "\/proc" \(step \d+\): .*EPERM.*\(in a user namespace this takes/,
  );
});

/** What a container tells of itself, to be the same with runc. */
const QUESTIONS = [
  "id; pwd; hostname; env | sort; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
  "grep -E '^(Umask|Cap|NoNewPrivs|Seccomp|Sig(Ign|Blk|Cgt)|Threads)' /proc/self/status; cat /proc/self/limits",
  "cd /dev; find . -type c | sort | xargs stat -c '%n %F %a %u:%g %t:%T'; ls /proc/self/fd",
  "cat /proc/self/cgroup; cat /proc/self/oom_score_adj; touch /x 2>&1; touch /proc/sys/x 2>&1; cat /proc/keys | wc -c",
  "cut -d' ' -f5,6 /proc/self/mountinfo | grep -v '^/sys/fs/cgroup' | grep -v '^/sys/firmware' | sort",
];

ordinary("beside runc: the same", (b, t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
  b.write(({ process }) => {
    process.args = ["sh", "-c", QUESTIONS.join("; ")];
  });
  const ours = b.run().succeeds();
  const [command, ...args] = [...as(USER), "runc", "--root", b.s.path("bundle/runc")];
  const theirs = spawnSync(command, [...args, "run", "--bundle", b.s.bundle, "c"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH },
  });
  assert.deepEqual([theirs.status, theirs.stderr], [0, ""]);
  assert.equal(ours, theirs.stdout);
});
