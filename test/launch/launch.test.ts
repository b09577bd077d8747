import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { ffi } from "../../src/ffi/driver.js";
import { Builder, slot, text } from "../../src/init/builder.js";
import { keepParts } from "../../src/init/kept-parts.js";
import { createExecutable, INIT_NAME } from "../../src/launch/executable.js";
import { failureOf, stepFailure } from "../../src/launch/init.js";
import { assembleAhead, placeProgram } from "../../src/launch/native.js";
import { SignalPipe } from "../../src/launch/signal-pipe.js";
import { spawn } from "../../src/launch/spawn.js";
import { idMap, userNamespace } from "../../src/launch/user-namespace.js";
import { cstring, viewOf } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { ESRCH } from "../../src/linux/errno.js";
import { close, readAll, using } from "../../src/linux/file.js";
import { openProcess, pollReadable, waitFor } from "../../src/linux/process.js";
import { attempt, sys } from "../../src/linux/syscall.js";
import { elf } from "../../src/machine/elf.js";
import { REPORT_SIZE } from "../../src/machine/program.js";

const isRoot = process.getuid?.() === 0;

/** A memory file as somebody's output; `read` gives what was put out. */
function output(t: TestContext): { fd: number; read: () => string } {
  const fd = sys("memfd_create", cstring("output"), C.MFD_CLOEXEC);
  t.after(() => close(fd));
  return { fd, read: () => readFileSync(`/proc/self/fd/${fd}`, "utf8") };
}

/** /dev/null, for as long as a test runs. */
function nothing(t: TestContext): number {
  const fd = openSync("/dev/null", "r");
  t.after(() => closeSync(fd));
  return fd;
}

test("an executable is sealed once it is written, and can be executed", () => {
  const b = new Builder();
  b.about("write");
  b.call("write", [1, text("ran\n"), 4]);
  const executable = createExecutable();
  executable.write(elf(b.finish(), ffi.arch, { report: 2, context: -1 }, 1));
  using(executable.fd, (fd) => {
    const path = `/proc/self/fd/${fd}`;
    assert.match(readlinkSync(path), new RegExp(`^/memfd:${INIT_NAME} `));
    assert.throws(() => writeFileSync(path, "x"), { code: "EPERM" });
    assert.equal(attempt("ftruncate", fd, 0), -1);
    const seals = C.F_SEAL_SEAL | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE;
    assert.equal(sys("fcntl", fd, C.F_GET_SEALS) & seals, seals);
  });
});

test("a program is placed in this process as a function", () => {
  const b = new Builder();
  // A step that may fail would report that and end the process; one that goes on leaves the caller's registers alone.
  const on = { "*": "next" } as const;
  b.about("ask");
  b.call("getpid", [], { into: "own", on });
  b.call("kill", [slot("own"), 0], { on });
  b.call("getppid", [], { on });
  assert.equal(ffi.call(placeProgram(b.finish(), { report: -1, context: -1 })), process.ppid);
});

test("a program that is assembled ahead does as one that is not, also a second time", () => {
  const ask = (b: Builder) => {
    b.about("ask");
    b.slot("given");
    b.call("kill", [slot("given"), 0], { on: { "*": "next" } });
  };
  const made = () => {
    const b = new Builder();
    b.part(ask, null);
    return b.finish();
  };
  assembleAhead(keepParts(made));
  assembleAhead(made());
  const place = (given: number) => placeProgram(made(), { report: -1, context: -1, given });
  const [first, second] = [place(process.pid), place(0x7fffffff)];
  const isAhead = (address: number) => Math.floor(address / 0x10000) === 0x1000;
  assert.deepEqual([isAhead(first), isAhead(second)], [true, false]);
  assert.deepEqual([ffi.call(first), ffi.call(second), ffi.call(first)], [0, -ESRCH, 0]);
});

test("a program is spawned with its arguments, environment and streams alone", (t) => {
  const [stdin, out] = [nothing(t), output(t)];
  const script = 'echo "$0" "$@" $A; ls /proc/self/fd | wc -l; cat; ps -o pgid= -p $$; echo $$; exit 3';
  const args = ["sh", "-c", script, "name", "a b"];
  const extra = openSync("/dev/null", "r");
  const pid = spawn({
    what: '"sh"',
    from: "hooks.x[0]",
    executable: { path: "/bin/sh", args, env: ["A=1", "PATH=/usr/bin:/bin"] },
    streams: { stdin, stdout: out.fd, stderr: out.fd },
  });
  assert.deepEqual(waitFor(pid), { status: 3 });
  closeSync(extra);
  // 0, 1, 2 and the directory that is listed.
  const [told, count, group, own] = out
    .read()
    .trim()
    .split("\n")
    .map((line) => line.trim());
  assert.deepEqual([told, count], ["name a b 1", "4"]);
  assert.equal(group, own);
});

test("a file that cannot be executed is told at once, by its place", (t) => {
  const executable = { path: "/absent", args: [], env: [] };
  const { fd } = output(t);
  const streams = { stdin: nothing(t), stdout: fd, stderr: fd };
  assert.throws(() => spawn({ what: '"/absent"', from: "hooks.x[0]", executable, streams }), {
    name: "Failure",
    message: 'hooks.x[0]: exec "/absent": execve: no such file or directory (ENOENT)',
  });
});

test("a compiled program is spawned in another process's namespaces", (t) => {
  if (!isRoot) return t.skip("needs root");
  const b = new Builder();
  b.about("exec");
  b.call("execve", [text("/bin/readlink"), { strings: ["readlink", "/proc/self/ns/uts"] }, { strings: [] }]);
  const out = output(t);
  const join = { process: openProcess(process.pid), types: ["uts", "pid"] };
  const pid = spawn({
    what: '"x"',
    from: "hooks.x[0]",
    executable: b.finish(),
    streams: { stdin: nothing(t), stdout: out.fd, stderr: out.fd },
    join,
  });
  assert.deepEqual(waitFor(pid), { status: 0 });
  close(join.process);
  assert.equal(out.read().trim(), readlinkSync("/proc/self/ns/uts"));
});

test("signals become bytes", () => {
  const pipe = new SignalPipe([10, 12]);
  for (const number of [10, 12]) {
    sys("kill", process.pid, number);
    assert.deepEqual(pollReadable([pipe.fd], 30_000), [pipe.fd]);
    assert.equal(pipe.next(), number);
  }
  assert.deepEqual(pollReadable([pipe.fd], 0), []);
});

test("a user namespace is made with its maps and outlives its maker", (t) => {
  if (!isRoot) return t.skip("needs root");
  const maps = [
    { containerID: 0, hostID: 1000, size: 10 },
    { containerID: 10, hostID: 5000, size: 1 },
  ];
  assert.equal(idMap(maps), "0 1000 10\n10 5000 1\n");
  using(userNamespace(maps, [maps[0]]), (fd) => {
    assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^user:\[\d+\]$/);
    assert.notEqual(readlinkSync(`/proc/self/fd/${fd}`), readlinkSync("/proc/self/ns/user"));
  });
  assert.throws(() => userNamespace([maps[0], maps[0]], []), { message: /uid_map": invalid argument \(EINVAL\)$/ });
});

test("a failure tells the step's place, sentence, number, call, errno, log and hint", () => {
  const step = { says: 'mount x on "/y"', from: "mounts[3]", call: "fsconfig", hint: "try" };
  const report = new Uint8Array(REPORT_SIZE);
  viewOf(report).setUint32(0, 7, true);
  viewOf(report).setUint32(4, 22, true);
  report.set(cstring("e x: Unknown parameter\n"), 8);
  const message =
    'mounts[3]: mount x on "/y" (step 7): fsconfig: invalid argument (EINVAL): x: Unknown parameter (try)';
  assert.equal(failureOf(step, report, 7).message, message);
  assert.equal(stepFailure({ says: "wait" }, 0).message, "wait: the runtime is gone");
  assert.match(stepFailure(step, 38, 7).message, /\(ENOSYS\) \(Linux 5\.12 or later/);
});

test("reading a connection that is torn down is its end", () => {
  const pair = new Int32Array(2);
  sys("socketpair", C.AF_UNIX, C.SOCK_SEQPACKET, 0, new Uint8Array(pair.buffer));
  close(pair[1]);
  assert.equal(using(pair[0], readAll).length, 0);
});
