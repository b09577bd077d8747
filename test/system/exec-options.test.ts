import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { close } from "../../src/linux/file.js";
import { ConsoleSocket, openTerminal } from "./console.js";
import { added, running } from "./exec-scene.js";
import { cgroupOf, eventually, system, withCgroups, withIds } from "./harness.js";

/** A capability set of /proc/self/status, as a number. */
const capabilities = (status: string, set: string): bigint =>
  BigInt(`0x${new RegExp(`^Cap${set}:\\s+(\\w+)$`, "m").exec(status)?.[1]}`);

withIds("--user, --additional-gids, --cwd, --env", (s) => {
  running(s, (config) => {
    config.process.user = { uid: 3, gid: 4, additionalGids: [5] };
    config.process.cwd = "/bin";
    config.process.env = ["PATH=/bin", "A=1"];
  });
  assert.equal(added(s, "id; pwd; echo $A"), "uid=3 gid=4 groups=5\n/bin\n1\n");
  assert.equal(added(s, "id", "-u", "6"), "uid=6 gid=4 groups=5\n");
  assert.equal(added(s, "id", "--user", "6:7", "-g", "8", "--additional-gids", "9"), "uid=6 gid=7 groups=5,8,9\n");
  assert.equal(added(s, "pwd", "--cwd", "/dev"), "/dev\n");
  // A comma separates nothing.
  assert.equal(added(s, "echo $A $B", "-e", "A=2,C=3", "--env", "B=4=5"), "2,C=3 4=5\n");
  // Not what the shell makes of it: there is one variable of a name.
  assert.equal(s.fdrunc(["exec", "-e", "A=2", "-e", "A=3", "c", "env"]).succeeds(), "PATH=/bin\nA=3\nHOME=/\n");
});

system("--cap adds to the sets but the inheritable one; --no-new-privs", (s) => {
  running(s, (config) => {
    config.process.noNewPrivileges = false;
    config.process.capabilities = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"] };
  });
  const own = added(s, "cat /proc/self/status");
  const more = added(s, "cat /proc/self/status", "--cap", "CAP_CHOWN", "-c", "CAP_SETUID", "--no-new-privs");
  for (const set of ["Prm", "Eff", "Bnd"])
    assert.deepEqual([capabilities(own, set), capabilities(more, set)], [0x20n, 0x20n | 1n | 0x80n], set);
  for (const set of ["Inh", "Amb"]) assert.equal(capabilities(more, set), 0n, set);
  assert.match(own, /^NoNewPrivs:\s0$/m);
  assert.match(more, /^NoNewPrivs:\s1$/m);
});

system("a process of a file that does not say what confines it is confined as the container's", (s) => {
  running(s, (config) => {
    const names = ["CAP_KILL", "CAP_CHOWN"];
    config.process.capabilities = { bounding: names, permitted: names, effective: names };
    config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 77, hard: 78 }];
  });
  const path = s.path("process.json");
  const status = (process: object): string => {
    const args = ["sh", "-c", "ulimit -n; cat /proc/self/status"];
    writeFileSync(path, JSON.stringify({ cwd: "/", env: ["PATH=/bin"], args, ...process }));
    return s.fdrunc(["exec", "--process", path, "c"]).succeeds();
  };
  const same = status({});
  for (const set of ["Prm", "Eff", "Bnd"]) assert.equal(capabilities(same, set), 0x21n, set);
  assert.match(same, /^77\n/);
  const own = status({
    capabilities: { bounding: ["CAP_KILL"] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 66, hard: 66 }],
  });
  assert.equal(capabilities(own, "Bnd"), 0x20n);
  assert.match(own, /^66\n/);
});

withIds("--process takes the process from a file; flags and a command change it", (s) => {
  running(s);
  const path = s.path("process.json");
  const write = (process: object) => writeFileSync(path, JSON.stringify(process));
  write({
    cwd: "/bin",
    args: ["sh", "-c", "pwd; id -u; env | sort"],
    env: ["PATH=/bin", "A=1"],
    user: { uid: 5, gid: 6 },
  });
  assert.equal(
    s.fdrunc(["exec", "--process", path, "c"]).succeeds(),
    "/bin\n5\nA=1\nHOME=/\nPATH=/bin\nPWD=/bin\nSHLVL=1\n",
  );
  assert.equal(s.fdrunc(["exec", "-p", path, "-u", "7", "c", "id", "-u"]).succeeds(), "7\n");
  const refused = (process: object | string) => {
    writeFileSync(path, typeof process === "string" ? process : JSON.stringify(process));
    return s.fdrunc(["exec", "--process", path, "c"]).fails(255);
  };
  assert.match(refused("{"), /process\.json": line 1, column 2: /);
  assert.match(refused({ args: ["x"] }), /process\.json": cwd: is required$/);
  assert.match(refused({ cwd: "x", args: ["x"] }), /process\.json": cwd: must be an absolute path, got "x"$/);
  assert.match(refused({ cwd: "/", args: [] }), /process\.json": args: must have at least one entry$/);
  assert.match(
    refused({ cwd: "/", args: ["x"], rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 1 }] }),
    /rlimits\[0\]\.type/,
  );
  assert.match(refused({ cwd: "/", args: ["true"], apparmorProfile: "x" }), /apparmorProfile: /);
});

system("--detach leaves the process in the background; --pid-file tells its id", (s) => {
  running(s);
  const pidFile = s.path("pid");
  const result = s.fdrunc(["exec", "-d", "--pid-file", pidFile, "c", "sh", "-c", "echo done; exec sleep 1000"]);
  assert.equal(result.status, 0);
  eventually(() => assert.equal(result.stdout, "done\n"));
  const pid = Number(readFileSync(pidFile, "utf8"));
  eventually(() => assert.equal(readFileSync(`/proc/${pid}/comm`, "utf8"), "sleep\n"));
  process.kill(pid, "SIGKILL");
});

system("--preserve-fds", (s) => {
  running(s);
  writeFileSync(s.path("extra"), "kept\n");
  const extra = openSync(s.path("extra"), "r");
  const exec = (...flags: string[]) =>
    s.fdrunc(["exec", ...flags, "c", "sh", "-c", "cat <&3"], {
      stdio: ["ignore", undefined, undefined, extra] as number[],
    });
  assert.equal(exec("--preserve-fds", "1").succeeds(), "kept\n");
  assert.notEqual(exec().status, 0);
  // Sockets that systemd hands to the command are for whoever runs a container: so runc has it.
  const listening = ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"];
  const told = s.fdrunc(["exec", "c", "sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd"], {
    under: listening,
    stdio: ["ignore", undefined, undefined, extra] as number[],
  });
  assert.equal(told.succeeds(), "\n0\n1\n2\n3\n");
  assert.match(exec("--preserve-fds", "900").fails(255), /^--preserve-fds 900: descriptor \d+ is not open$/);
  closeSync(extra);
});

system("--pidfd-socket gets a descriptor of the process", (s) => {
  running(s);
  const socket = new ConsoleSocket(s);
  const pidFile = s.path("pid");
  s.fdrunc(["exec", "-d", "--pidfd-socket", socket.path, "--pid-file", pidFile, "c", "sleep", "1000"]).succeeds();
  const { fd } = socket.accept();
  const [, pid] = /^Pid:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
  assert.equal(pid, readFileSync(pidFile, "utf8"));
  close(fd);
});

withIds("--tty in the foreground: input, output, size, exit status", async (s) => {
  running(s);
  const { terminal, peer } = openTerminal();
  terminal.resize(21, 77);
  const resized = 'until test "$(stty size)" != "21 77"; do sleep 0.05; done; stty size';
  const script = `stty size; tty; ${resized}; read b; echo got $b; exit 7`;
  const calling = { stdio: [peer, peer, peer], under: ["setsid", "--ctty", "--wait"] };
  const { ended } = s.start(["exec", "--tty", "--user", "9", "c", "sh", "-c", script], calling);
  terminal.expect("21 77\r\n/dev/pts/0\r\n");
  terminal.resize(30, 90);
  terminal.expect("30 90\r\n");
  terminal.write("hello\r");
  terminal.expect("got hello\r\n");
  assert.equal((await ended).status, 7);
  close(peer);
  terminal.close();
});

system("--tty with --console-socket, in the background", (s) => {
  running(s);
  const before = s.fdrunc(["exec", "c", "ls", "/dev"]).succeeds();
  const socket = new ConsoleSocket(s);
  s.fdrunc([
    "exec",
    "-d",
    "-t",
    "--console-socket",
    socket.path,
    "c",
    "sh",
    "-c",
    "tty; read a; echo got $a",
  ]).succeeds();
  const terminal = socket.accept();
  terminal.write("x\n");
  terminal.expect("/dev/pts/0\r\n");
  terminal.expect("got x");
  terminal.close();
  // Only the container's first process has a console.
  assert.equal(s.fdrunc(["exec", "c", "ls", "/dev"]).succeeds(), before);
  assert.match(s.fdrunc(["exec", "-d", "-t", "c", "true"]).fails(255), /--console-socket is needed/);
  assert.match(s.fdrunc(["exec", "--console-socket", "/x", "c", "true"]).fails(255), /^--console-socket: /);
});

withCgroups("--cgroup puts the process into cgroups below the container's", (s, t) => {
  running(s);
  const [pids, memory] = ["pids", "memory"].map((controller) => cgroupOf(controller));
  if (pids === memory) return t.skip("needs cgroup v1");
  for (const directory of [pids, memory]) mkdirSync(`${directory}/below`);
  const cgroups = added(s, "cat /proc/self/cgroup", "--cgroup", "pids,memory:/below");
  assert.match(cgroups, /:pids:.*\/c\/below\n/);
  assert.match(cgroups, /:memory:.*\/c\/below\n/);
  assert.match(cgroups, /:devices:.*\/c\n/);
  assert.match(added(s, "cat /proc/self/cgroup", "--cgroup", "pids:below", "--cgroup", "memory:."), /:memory:.*\/c\n/);
  const refused = (...values: string[]) =>
    s.fdrunc(["exec", ...values.flatMap((value) => ["--cgroup", value]), "c", "true"]).fails(255);
  assert.match(refused("below"), /tasks": no such file or directory/);
  assert.match(refused("pids:../x"), /^--cgroup "pids:\.\.\/x": must not contain "\.\."$/);
  assert.match(refused("nosuch:/"), /^--cgroup "nosuch:\/": the container has no cgroup of a controller "nosuch"$/);
  assert.match(refused("pids:/", "pids:/"), /controller "pids" is there twice$/);
  assert.match(refused("/", "pids:/"), /^--cgroup "\/": must name controllers/);
  assert.match(refused(":/"), /a controller's name is empty$/);
});

withCgroups("a cgroup that gives its controllers on takes nobody: init's own is taken", (s, t) => {
  const [v2, pids] = [cgroupOf(""), cgroupOf("pids")];
  const controllers = `${cgroupOf("", "")}/cgroup.controllers`;
  if (v2 === pids || !readFileSync(controllers, "utf8").includes("hugetlb"))
    return t.skip("needs cgroup v1 for pids and v2 for hugetlb");
  running(s, (config) => {
    config.linux.resources.hugepageLimits = [{ pageSize: "2MB", limit: 2_097_152 }];
  });
  mkdirSync(`${v2}/init`);
  writeFileSync(`${v2}/init/cgroup.procs`, String(s.stateOf().pid));
  writeFileSync(`${v2}/cgroup.subtree_control`, "+hugetlb");
  assert.match(added(s, "cat /proc/self/cgroup"), /^0::.*\/c\/init$/m);
});

system("the CPUs of a process that is added", (s) => {
  running(s, (config) => {
    config.process.execCPUAffinity = { initial: "0-1", final: "0" };
  });
  const allowed = "grep -E '^Cpus_allowed_list' /proc/PID/status";
  assert.match(added(s, allowed.replace("PID", "self")), /\s0$/m);
  assert.doesNotMatch(added(s, allowed.replace("PID", "1")), /\s0$/m);
  const path = s.path("process.json");
  writeFileSync(path, JSON.stringify({ cwd: "/", args: ["true"], execCPUAffinity: { final: "8000" } }));
  const message = s.fdrunc(["exec", "-p", path, "c"]).fails(255);
  assert.match(message, /^process\.execCPUAffinity\.final: run on CPUs 8000 \(step \d+\): sched_setaffinity: .*EINVAL/);
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  running(s, (config) => {
    config.process.execCPUAffinity = { initial: "8000", final: "0" };
  });
  assert.match(
    s.fdrunc(["exec", "c", "true"]).fails(255),
    /^process\.execCPUAffinity\.initial: run on CPUs 8000 \(step \d+\): sched_setaffinity: .*EINVAL/,
  );
});

/** Bad input, and what is said of it. */
const REFUSED: [flags: string[], message: RegExp][] = [
  [["--user", "name"], /^--user "name": not of the form UID or UID:GID/],
  [["--user", "1:"], /^--user "1:": not of the form/],
  [["--user", "4294967295"], /^--user "4294967295": must be a number of at most 4294967294$/],
  [["--additional-gids", "x"], /^--additional-gids "x": must be a number/],
  [["--additional-gids", "1,2"], /^--additional-gids "1,2": must be a number/],
  [["--env", "A"], /^--env "A": must have the form NAME=value$/],
  [["--env", "=A"], /^--env "=A": must have the form NAME=value$/],
  [["--cap", "CAP_NONSENSE"], /^--cap "CAP_NONSENSE": no such capability$/],
  [["--cap", "CAP_CHOWN,CAP_KILL"], /^--cap "CAP_CHOWN,CAP_KILL": no such capability$/],
  [["--cwd", "bin"], /^--cwd "bin": must be an absolute path$/],
  [["--cwd", "/nosuch"], /^process\.cwd: change the working directory to "\/nosuch".*ENOENT/],
  [["--process", "/nosuch"], /^open "\/nosuch": no such file or directory/],
  [["--pid-file", "/nosuch/pid"], /^--pid-file "\/nosuch\/pid": .*no such file or directory/],
  [["--console-socket", "/nosuch", "--tty"], /^--console-socket "\/nosuch": .*ENOENT/],
  [["--pidfd-socket", "/nosuch"], /^--pidfd-socket "\/nosuch": .*ENOENT/],
  [["--preserve-fds", "x"], /--preserve-fds.*not a number of descriptors/],
  [["--apparmor", "x"], /^process\.apparmorProfile: /],
  [["--process-label", "x"], /^process\.selinuxLabel: /],
  [["--detach", "--tty"], /--console-socket is needed/],
  [["--bogus"], /^unknown option '--bogus'$/],
  [["--fail-step", "x"], /^--fail-step "x": not of the form/],
];

withCgroups("bad input is told by its flag, and leaves nothing behind", (s) => {
  running(s);
  for (const [flags, message] of REFUSED) {
    assert.match(s.fdrunc(["exec", ...flags, "c", "sleep", "1000"]).fails(255), message);
    assert.equal(s.fdrunc(["ps", "--format", "json", "c"]).succeeds(), `[${s.stateOf().pid}]\n`, flags.join(" "));
  }
});
