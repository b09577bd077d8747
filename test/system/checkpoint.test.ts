import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { ffi } from "../../src/ffi/driver.js";
import { C } from "../../src/linux/constants.js";
import { close, read, writeAll } from "../../src/linux/file.js";
import { parseMount } from "../../src/linux/mount-info.js";
import { waitReadable } from "../../src/linux/process.js";
import { sys } from "../../src/linux/syscall.js";
import { unifiedMount } from "./cgroup-places.js";
import { ConsoleSocket } from "./console.js";
import { CRIU_ENV, type Fdrunc, withCriu } from "./criu.js";
import { cgroupOf, eventually, type FullConfig, type Scene, system, TAG } from "./harness.js";

const COUNT = "i=0; while :; do i=$((i+1)); echo $i > /count/n.new; mv /count/n.new /count/n; sleep 0.02; done";

/** Writes a bundle whose program counts in a file on a tmpfs of the container's own, and starts it. */
function startCounting(s: Scene, fdrunc: Fdrunc, change: (config: FullConfig) => void = () => {}): void {
  s.write((config) => {
    config.process.args = ["sh", "-c", COUNT];
    config.mounts.push({ destination: "/count", type: "tmpfs", source: "tmpfs" });
    change(config);
  });
  fdrunc(["run", "--detach", "c"]).succeeds();
  eventually(() => assert.ok(counted(s) > 5));
}

const pidOf = (s: Scene): number => Number(s.stateOf().pid);
const counted = (s: Scene): number => Number(readFileSync(`/proc/${pidOf(s)}/root/count/n`, "utf8"));

/** A container's mounts without what differs from one to the next, or what criu changes for all: how v2 is mounted. */
const mountsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .trimEnd()
    .split("\n")
    .map(parseMount)
    .map(({ mountPoint, type, root, options, superOptions }) =>
      [mountPoint, type, root, options, ...(type === "cgroup2" ? [] : [superOptions])].join(" "),
    )
    .sort();

const paths = (s: Scene): string[] => ["--image-path", s.path("image"), "--work-path", s.path("work")];

withCriu("a container that counts is saved, and goes on counting where it was", (s, fdrunc) => {
  mkdirSync(s.path("source/below"), { recursive: true });
  const tmpfs = s.mountTmpfs("source/below");
  writeFileSync(`${tmpfs}/file`, "below");
  const bind = { destination: "/b/ound", type: "bind", source: s.path("source"), options: ["rbind", "rprivate", "ro"] };
  startCounting(s, fdrunc, (config) => {
    config.mounts.push(bind);
    config.linux.resources.pids = { limit: 9 };
  });
  const before = mountsOf(pidOf(s));
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  assert.match(fdrunc(["state", "c"]).fails(), /does not exist/);
  assert.ok(!existsSync(cgroupOf("pids")));
  assert.ok(existsSync(s.path("work/dump.log")));
  const saved = Number(lastCount(s));
  const pidFile = s.path("pid");
  fdrunc(["restore", "--detach", "--pid-file", pidFile, ...paths(s), "c"]).succeeds();
  const first = counted(s);
  assert.ok(first >= saved, `${first} after ${saved}`);
  eventually(() => assert.ok(counted(s) > first + 5));
  assert.equal(s.status(), "running");
  assert.equal(readFileSync(pidFile, "utf8"), String(pidOf(s)));
  assert.deepEqual(mountsOf(pidOf(s)), before);
  assert.equal(readFileSync(`${cgroupOf("pids")}/pids.max`, "utf8"), "9\n");
  assert.ok(
    readFileSync(`${cgroupOf("pids")}/cgroup.procs`, "utf8")
      .split("\n")
      .includes(String(pidOf(s))),
  );
  fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  fdrunc(["delete", "c"]).succeeds();

  /** The count in the saved tmpfs: what was there when the container was stopped. */
  function lastCount(scene: Scene): string {
    for (const name of readdirSync(scene.path("image")).filter((file) => file.startsWith("tmpfs-dev"))) {
      const { status, stdout } = spawnSync("tar", ["-xzOf", scene.path("image", name), "./n"], { encoding: "utf8" });
      if (status === 0) return stdout;
    }
    assert.fail("there is no count in the checkpoint");
  }
});

withCriu("a container that is left running goes on, paused or not", (s, fdrunc) => {
  startCounting(s, fdrunc);
  const pid = pidOf(s);
  fdrunc(["checkpoint", "--leave-running", ...paths(s), "c"]).succeeds();
  const then = counted(s);
  eventually(() => assert.ok(counted(s) > then));
  fdrunc(["pause", "c"]).succeeds();
  fdrunc(["checkpoint", "--leave-running", "--image-path", s.path("second"), "c"]).succeeds();
  assert.equal(s.status(), "paused");
  assert.ok(existsSync(s.path("second/dump.log")));
  fdrunc(["resume", "c"]).succeeds();
  assert.equal(pidOf(s), pid);
});

withCriu("cgroups of others are not saved with a container that has none of its own in v2", (s, fdrunc, t) => {
  const v2 = unifiedMount();
  if (v2 === undefined || cgroupOf("pids").startsWith(v2)) return t.skip("needs cgroups of both versions");
  const groupsOf = () => readFileSync(`/proc/${pidOf(s)}/cgroup`, "utf8");
  startCounting(s, fdrunc);
  const [groups, other] = [groupsOf(), `${v2}/${TAG}/other`];
  mkdirSync(other);
  fdrunc(["checkpoint", "--leave-running", ...paths(s), "c"]).succeeds();
  assert.equal(groupsOf(), groups);
  fdrunc(["delete", "--force", "c"]).succeeds();
  rmdirSync(other);
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(groupsOf(), groups);
  assert.ok(!existsSync(other));
});

withCriu(
  "a checkpoint that is ended meanwhile leaves a container that goes on, and nothing of its own",
  async (s, fdrunc, t) => {
    const v2 = unifiedMount();
    if (v2 === undefined || cgroupOf("pids").startsWith(v2)) return t.skip("needs cgroups of both versions");
    const groups = () => readFileSync(`/proc/${pidOf(s)}/cgroup`, "utf8");
    const hanging = hangingCriu(s);
    /** Has a checkpoint ended while criu is at work. Returns the cgroup that it has made. */
    const endCheckpoint = async (signal: "SIGTERM" | "SIGKILL"): Promise<string> => {
      const { child, ended } = s.start(["checkpoint", ...paths(s), "c"], { env: hanging });
      eventually(() => assert.ok(existsSync(s.path("asked"))));
      rmSync(s.path("asked"));
      const made = readFileSync(s.path("state/c/apart"), "utf8");
      assert.ok(
        readFileSync(`${made}/cgroup.procs`, "utf8")
          .split("\n")
          .includes(String(pidOf(s))),
      );
      child.kill(signal);
      assert.equal((await ended).status, null);
      const then = counted(s);
      eventually(() => assert.ok(counted(s) > then));
      assert.equal(s.status(), "running");
      return made;
    };
    startCounting(s, fdrunc);
    const before = groups();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const made = await endCheckpoint(signal);
      assert.notEqual(groups(), before);
      fdrunc(["checkpoint", "--leave-running", ...paths(s), "c"]).succeeds();
      assert.equal(groups(), before);
      assert.ok(!existsSync(made));
    }
    const deleted = await endCheckpoint("SIGKILL");
    fdrunc(["delete", "--force", "c"]).succeeds();
    assert.ok(!existsSync(deleted));
    const { ended } = s.start(["run", "c"]);
    eventually(() => assert.ok(counted(s) > 5));
    const waited = await endCheckpoint("SIGKILL");
    fdrunc(["kill", "c", "KILL"]).succeeds();
    assert.equal((await ended).status, 137);
    assert.ok(!existsSync(waited));
  },
);

/** An environment with a criu that does nothing but note that it was asked, and wait until nobody asks any more. */
function hangingCriu(s: Scene): Record<string, string> {
  mkdirSync(s.path("bin"));
  const script = `#!${process.execPath}
const { readSync, writeFileSync } = require("node:fs");
while (readSync(Number(process.argv[3]), Buffer.alloc(65536)) > 0) writeFileSync(${JSON.stringify(s.path("asked"))}, "");
`;
  writeFileSync(s.path("bin/criu"), script, { mode: 0o755 });
  return { PATH: `${s.path("bin")}:${process.env.PATH}` };
}

/** A pipe's two ends, as Node cannot make one: its own are sockets. */
function pipe(): { read: number; write: number } {
  const ends = new Int32Array(2);
  sys("pipe2", new Uint8Array(ends.buffer), C.O_CLOEXEC);
  return { read: ends[0], write: ends[1] };
}

withCriu("pipes are those of the command that restores, and waits for the end", async (s, fdrunc) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "echo waiting; read line; echo got $line; echo told >&2; exit 7"];
  });
  const [input, output, complaints] = [pipe(), pipe(), pipe()];
  const first = s.start(["run", "c"], { stdio: [input.read, output.write, complaints.write] });
  assert.equal(readSome(output.read), "waiting\n");
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  assert.equal((await first.ended).status, 137);
  const [again, out, err] = [pipe(), pipe(), pipe()];
  const stdio = [again.read, out.write, err.write];
  const { ended } = s.start(["restore", ...paths(s), "c"], { stdio, env: { ...CRIU_ENV } });
  writeAll(again.write, "a line\n");
  assert.equal((await ended).status, 7);
  assert.deepEqual([readSome(out.read), readSome(err.read)], ["got a line\n", "told\n"]);
  assert.match(fdrunc(["state", "c"]).fails(), /does not exist/);
  for (const { read, write } of [input, output, complaints, again, out, err]) for (const fd of [read, write]) close(fd);
});

function readSome(fd: number): string {
  const bytes = new Uint8Array(4096);
  assert.ok(waitReadable(fd, 30_000), "nothing comes");
  return ffi.decode(bytes.subarray(0, read(fd, bytes)));
}

withCriu("a shell is saved that has put a file in the place of its output, and gets its output back", (s, fdrunc) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "while ! test -e /count/go; do sleep 0.1; done >/count/n; echo back; sleep 99"];
    config.mounts.push({ destination: "/count", type: "tmpfs", source: "tmpfs" });
  });
  fdrunc(["run", "--detach", "c"]).succeeds();
  eventually(() => assert.equal(readlinkSync(`/proc/${pidOf(s)}/fd/1`), "/count/n"));
  const output = openSync(s.path("output"), "a");
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  fdrunc(["restore", "--detach", ...paths(s), "c"], { stdio: ["ignore", output] });
  closeSync(output);
  writeFileSync(`/proc/${pidOf(s)}/root/count/go`, "");
  eventually(() => assert.equal(readFileSync(s.path("output"), "utf8"), "back\n"));
});

withCriu("a terminal is restored, and goes to the console socket", (s, fdrunc) => {
  s.write((config) => {
    config.process.terminal = true;
    config.process.args = ["sh", "-c", "while read line; do echo got $line; done"];
  });
  const first = new ConsoleSocket(s);
  fdrunc(["run", "--detach", "--console-socket", first.path, "c"]).succeeds();
  const terminal = first.accept();
  terminal.write("one\n");
  terminal.expect("got one");
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  terminal.close();
  rmSync(first.path);
  const second = new ConsoleSocket(s);
  fdrunc(["restore", "--detach", "--console-socket", second.path, ...paths(s), "c"]).succeeds();
  const again = second.accept();
  again.write("two\n");
  again.expect("got two");
  again.close();
});

withCriu(
  "hooks of the runtime's run before a restored container goes on; one that fails leaves nothing",
  (s, fdrunc) => {
    const log = s.path("hooks.log");
    const hook = (kind: string, tail = "") => ({
      path: "/bin/sh",
      args: ["sh", "-c", `echo ${kind} $(sed 's/.*"status":"\\([a-z]*\\)".*/\\1/') >> ${log}${tail}`],
    });
    const hooks = {
      prestart: [hook("prestart")],
      createRuntime: [hook("createRuntime")],
      poststop: [hook("poststop")],
    };
    startCounting(s, fdrunc, (config) => {
      config.hooks = hooks;
    });
    fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
    const lines = () => readFileSync(log, "utf8").trim().split("\n");
    assert.deepEqual(lines(), ["prestart creating", "createRuntime creating", "poststop stopped"]);
    rmSync(log);
    fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
    assert.deepEqual(lines(), ["prestart creating", "createRuntime creating"]);
    fdrunc(["delete", "--force", "c"]).succeeds();
    s.write((config) => {
      Object.assign(config, s.config, { hooks: { createRuntime: [hook("createRuntime", "; echo bad >&2; exit 3")] } });
    });
    const failure = fdrunc(["restore", "--detach", ...paths(s), "c"]).fails();
    assert.equal(failure, 'hooks.createRuntime[0]: "/bin/sh": exit status 3: bad');
    s.assertNothingLeft();
  },
);

withCriu("a network namespace that was joined is joined again", (s, fdrunc) => {
  const holder = s.spawn(["unshare", "--net", "sleep", "1000"]).child;
  eventually(() => assert.notEqual(statSync(`/proc/${holder.pid}/ns/net`).ino, statSync("/proc/self/ns/net").ino));
  startCounting(s, fdrunc, (config) => {
    const network = config.linux.namespaces.find(({ type }) => type === "network");
    Object.assign(network ?? {}, { path: `/proc/${holder.pid}/ns/net` });
  });
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(statSync(`/proc/${pidOf(s)}/ns/net`).ino, statSync(`/proc/${holder.pid}/ns/net`).ino);
});

withCriu("the null device stays that, whatever the streams are of who restores", (s, fdrunc) => {
  startCounting(s, fdrunc);
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  fdrunc(["restore", "--detach", ...paths(s), "c"], { stdio: ["pipe"] }).succeeds();
  assert.equal(readlinkSync(`/proc/${pidOf(s)}/fd/0`), "/dev/null");
});

withCriu("directories of a checkpoint may be links", (s, fdrunc) => {
  for (const name of ["image", "work"]) {
    mkdirSync(s.path(`real-${name}`));
    symlinkSync(s.path(`real-${name}`), s.path(name));
  }
  startCounting(s, fdrunc);
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(s.status(), "running");
});

withCriu("mount points that a new root file system lacks are made", (s, fdrunc) => {
  writeFileSync(s.path("file"), "content");
  startCounting(s, fdrunc, (config) => {
    config.mounts.push({ destination: "/made/file", type: "bind", source: s.path("file"), options: ["bind"] });
  });
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  for (const name of ["made", "count", "proc", "dev", "sys"]) rmSync(`${s.rootfs}/${name}`, { recursive: true });
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(readFileSync(`/proc/${pidOf(s)}/root/made/file`, "utf8"), "content");
});

withCriu("mounts behind links of the root file system's come back, where the links lead", (s, fdrunc) => {
  writeFileSync(s.path("file"), "content");
  mkdirSync(`${s.rootfs}/etc`);
  symlinkSync("/made/file", `${s.rootfs}/etc/link`);
  startCounting(s, fdrunc, (config) => {
    config.mounts.push({ destination: "/etc/link", type: "bind", source: s.path("file"), options: ["bind"] });
  });
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  rmSync(`${s.rootfs}/made`, { recursive: true });
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(readFileSync(`/proc/${pidOf(s)}/root/made/file`, "utf8"), "content");
});

withCriu("a bind behind a link is the config's, whatever of the root file system it shows", (s, fdrunc) => {
  const source = `${s.rootfs}/source`;
  for (const path of [`${s.rootfs}/etc`, source]) mkdirSync(path);
  writeFileSync(`${source}/file`, "content");
  symlinkSync("/made/there", `${s.rootfs}/etc/link`);
  const bind = { destination: "/etc/link", type: "bind", source, options: ["bind"] };
  startCounting(s, fdrunc, ({ mounts }) => mounts.push(bind));
  // What the container puts in the link's place leads nobody elsewhere.
  rmSync(`${s.rootfs}/etc/link`);
  mkdirSync(`${s.rootfs}/etc/link`);
  fdrunc(["checkpoint", ...paths(s), "c"]).succeeds();
  rmSync(`${s.rootfs}/etc/link`, { recursive: true });
  symlinkSync("/made/there", `${s.rootfs}/etc/link`);
  renameSync(source, s.path("moved"));
  s.write((config) =>
    Object.assign(config, s.config, {
      mounts: [...s.config.mounts.slice(0, -1), { ...bind, source: s.path("moved") }],
    }),
  );
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  assert.equal(readFileSync(`/proc/${pidOf(s)}/root/made/there/file`, "utf8"), "content");
});

withCriu("what cannot be saved or restored is told in one line, and nothing is left", (s, fdrunc) => {
  assert.match(fdrunc(["checkpoint", ...paths(s), "c"]).fails(), /^container "c" does not exist$/);
  assert.match(fdrunc(["restore", ...paths(s), "c"]).fails(), /^--image-path ".*\/image": .*no such file or directory/);
  mkdirSync(s.path("image"));
  assert.match(
    fdrunc(["restore", ...paths(s), "c"]).fails(),
    /^read ".*\/image\/descriptors.json": .*made completely\?\)$/,
  );
  writeFileSync(s.path("image/descriptors.json"), "[]");
  assert.match(
    fdrunc(["restore", ...paths(s), "c"]).fails(),
    /^restore container "c": criu: .* \(see ".*restore.log"\)$/,
  );
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  fdrunc(["create", "c"]).succeeds();
  assert.match(fdrunc(["checkpoint", ...paths(s), "c"]).fails(), /container not running \(its status is created\)$/);
  fdrunc(["start", "c"]).succeeds();
  assert.match(fdrunc(["restore", ...paths(s), "c"]).fails(), /^container "c" already exists/);
  const refuse = (pattern: RegExp, ...flags: string[]) =>
    assert.match(fdrunc(["checkpoint", ...paths(s), ...flags, "c"]).fails(), pattern);
  refuse(/^--parent-path "\/x": must be relative to --image-path$/, "--parent-path", "/x");
  refuse(/^--parent-path "..\/x": there is no directory/, "--parent-path", "../x");
  refuse(/--page-server.*ADDRESS:PORT/, "--page-server", "nowhere");
  refuse(/--manage-cgroups-mode.*soft, full, strict/, "--manage-cgroups-mode", "some");
  refuse(/--empty-ns.*"network"/, "--empty-ns", "ipc");
  refuse(/^--status-fd 99: not open$/, "--status-fd", "99");
  const state = s.path("state/c/state.json");
  const { streams, ...old } = JSON.parse(readFileSync(state, "utf8"));
  assert.equal(streams.length, 3);
  writeFileSync(state, JSON.stringify(old));
  refuse(/made by an earlier fdrunc, which did not note its standard streams$/);
  writeFileSync(state, JSON.stringify({ ...old, streams }));
  assert.equal(s.status(), "running");
  const bare = s.fdrunc(["checkpoint", ...paths(s), "c"], { env: { PATH: "/nowhere" } }).fails();
  assert.equal(bare, 'checkpoint container "c": criu: executable file not found in $PATH (its package is named criu)');
});

withCriu("a checkpoint ahead saves memory, where the kernel tracks its changes", (s, fdrunc) => {
  startCounting(s, fdrunc);
  const ahead = fdrunc(["checkpoint", "--pre-dump", "--image-path", s.path("first"), "c"]);
  assert.equal(s.status(), "running");
  if (ahead.status !== 0) {
    assert.match(ahead.fails(), /^--pre-dump: criu finds that the kernel does not track/);
    return;
  }
  const rest = ["--parent-path", "../first", "--image-path", s.path("image")];
  fdrunc(["checkpoint", ...rest, "c"]).succeeds();
  fdrunc(["restore", "--detach", "--image-path", s.path("image"), "c"]).succeeds();
  const then = counted(s);
  eventually(() => assert.ok(counted(s) > then));
});

withCriu("criu's settings come from the file that the annotation names", (s, fdrunc) => {
  writeFileSync(s.path("criu.conf"), "log-file told.log\n");
  startCounting(s, fdrunc, (config) => {
    config.annotations["org.criu.config"] = s.path("criu.conf");
  });
  fdrunc(["checkpoint", "--leave-running", ...paths(s), "c"]).succeeds();
  assert.ok(existsSync(s.path("work/told.log")));
});

system("a detached restore wants a console socket for a terminal, and that a terminal for it", (s) => {
  s.write((config) => {
    config.process.terminal = true;
  });
  assert.match(s.fdrunc(["restore", "--detach", "c"]).fails(), /^process\.terminal: --console-socket is needed/);
  s.write(() => {});
  const flags = ["--detach", "--console-socket", "/nosuch"];
  assert.match(s.fdrunc(["restore", ...flags, "c"]).fails(), /^--console-socket: process\.terminal is not set$/);
});

system("features warn of the annotation whose file criu obeys", (s) => {
  const { potentiallyUnsafeConfigAnnotations } = JSON.parse(s.fdrunc(["features"]).succeeds());
  assert.ok(potentiallyUnsafeConfigAnnotations.includes("org.criu.config"));
});

system("callers that look whether checkpoints are known find that they are", (s) => {
  for (const command of ["checkpoint", "restore"])
    assert.match(s.fdrunc([command, "--help"]).succeeds(), /--image-path/);
});

const hasRunc = spawnSync("runc", ["--version"]).status === 0;

withCriu("what runc has saved is restored", (s, fdrunc) => {
  if (!hasRunc) return;
  s.write((config) => {
    config.process.args = ["sh", "-c", COUNT];
    config.mounts.push({ destination: "/count", type: "tmpfs", source: "tmpfs" });
  });
  const runc = (...args: string[]) => {
    const command = ["--root", s.path("runc"), ...args, "c"];
    const options = { env: { ...process.env, ...CRIU_ENV }, cwd: s.bundle, stdio: "ignore" } as const;
    assert.equal(spawnSync("runc", command, options).status, 0, command.join(" "));
  };
  runc("run", "--detach");
  try {
    runc("checkpoint", ...paths(s));
  } finally {
    spawnSync("runc", ["--root", s.path("runc"), "delete", "--force", "c"]);
  }
  fdrunc(["restore", "--detach", ...paths(s), "c"]).succeeds();
  const then = counted(s);
  eventually(() => assert.ok(counted(s) > then));
});
