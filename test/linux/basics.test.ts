import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { concat, cstring, fromCstring, words } from "../../src/linux/bytes.js";
import { CAPABILITIES, capabilityMask, permittedCapabilities } from "../../src/linux/capabilities.js";
import { C, constants } from "../../src/linux/constants.js";
import { ENOENT, errnoName, errnoNumber, errnoText } from "../../src/linux/errno.js";
import { Failure } from "../../src/linux/failure.js";
import * as file from "../../src/linux/file.js";
import { absolutePath } from "../../src/linux/path.js";
import {
  executableOf,
  exitStatus,
  identityOf,
  openProcess,
  pollReadable,
  processStatus,
  signal,
} from "../../src/linux/process.js";
import { signalNumber } from "../../src/linux/signals.js";
import { connectIn, connectUnix, listenUnix, receive, socketPair } from "../../src/linux/socket.js";
import { expecting, SyscallError, sys } from "../../src/linux/syscall.js";
import { SYSCALLS } from "../../src/linux/syscalls.js";

function place(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "fdrunc-linux-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("bytes: C strings, words, parts", () => {
  assert.deepEqual([...cstring("aü")], [97, 0xc3, 0xbc, 0]);
  assert.throws(() => cstring("a\0b"), TypeError);
  assert.equal(fromCstring(Uint8Array.of(97, 98, 0, 99)), "ab");
  assert.equal(fromCstring(Uint8Array.of(97, 98)), "ab");
  assert.deepEqual(
    [...words(1, -1, 2n ** 63n)].map((byte) => byte.toString(16)).join(""),
    `1${"0".repeat(7)}${"ff".repeat(8)}${"0".repeat(7)}80`,
  );
  assert.deepEqual([...concat([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])], [1, 2, 3]);
});

test("error numbers have the C library's names and texts", () => {
  assert.deepEqual([errnoName(2), errnoText(2), errnoNumber("ENOENT")], ["ENOENT", "no such file or directory", 2]);
  assert.deepEqual([errnoName(4000), errnoText(4000), errnoNumber("ENOSUCH")], ["errno 4000", "error 4000", undefined]);
  const script = "import errno,os,json;print(json.dumps({n:[k,os.strerror(n)] for n,k in errno.errorcode.items()}))";
  const python = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  if (python.status !== 0) return;
  for (const [number, [name, text]] of Object.entries(JSON.parse(python.stdout) as Record<string, [string, string]>)) {
    if (["EDEADLOCK", "EWOULDBLOCK", "ENOTSUP"].includes(name)) continue;
    assert.equal(errnoName(Number(number)), name);
    assert.equal(errnoText(Number(number)).toLowerCase(), text.toLowerCase(), name);
  }
});

test("system call numbers and constants are those of the headers", (t) => {
  const machines = { x86_64: ["gcc"], aarch64: ["aarch64-linux-gnu-gcc"] } as const;
  const directory = place(t);
  for (const [arch, [compiler]] of Object.entries(machines) as ["x86_64" | "aarch64", readonly [string]][]) {
    if (spawnSync(compiler, ["--version"]).status !== 0) {
      t.diagnostic(`without ${compiler} ${arch} is not looked at`);
      continue;
    }
    const names = Object.keys(SYSCALLS) as (keyof typeof SYSCALLS)[];
    const source = join(directory, "calls.c");
    writeFileSync(
      source,
      `#include <sys/syscall.h>\n${names.map((name) => `fdrunc ${name} __NR_${name}`).join("\n")}\n`,
    );
    const { stdout } = spawnSync(compiler, ["-E", "-P", source], { encoding: "utf8" });
    let known = 0;
    for (const [, name, number] of stdout.matchAll(/^fdrunc (\w+) (\d+|\(.*\))$/gm)) {
      if (!/^\d+$/.test(number)) continue;
      assert.equal(
        SYSCALLS[name as keyof typeof SYSCALLS][arch === "x86_64" ? 0 : 1],
        Number(number),
        `${arch} ${name}`,
      );
      known++;
    }
    assert.ok(known > names.length - 10, `${known} of ${names.length} are known to ${arch}'s headers`);
  }
  // The one place where the architectures' constants differ.
  assert.deepEqual(
    Object.entries(constants("x86_64"))
      .filter(([name, value]) => constants("aarch64")[name as keyof typeof C] !== value)
      .map(([name]) => name),
    ["O_DIRECTORY", "O_NOFOLLOW", "O_TMPFILE", "MAP_32BIT"],
  );
});

test("capabilities by name", () => {
  assert.equal(CAPABILITIES.length, 41);
  assert.equal(capabilityMask(["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_NONE"]), 1n | (1n << 40n));
  assert.equal(capabilityMask(), 0n);
  const own = /^CapPrm:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  assert.equal(permittedCapabilities(), BigInt(`0x${own}`));
});

test("failures are one line: what, cause, hint", () => {
  const cause = new SyscallError("openat", ENOENT, 'open "/x"');
  const failure = new Failure('read "/x"', { cause, hint: "is it there?" });
  assert.equal(failure.message, 'read "/x": open "/x": no such file or directory (ENOENT) (is it there?)');
  assert.deepEqual([failure.status, failure.cause, failure.name], [1, cause, "Failure"]);
  assert.equal(new Failure("x", { status: 255 }).status, 255);
});

test("processes that make the same directories at the same time all succeed", async (t) => {
  const directory = place(t);
  const code = `
    import { mkdirAll } from ${JSON.stringify(new URL("../../src/linux/file.js", import.meta.url).href)};
    for (let i = 0; i < 3000; i++) mkdirAll(${JSON.stringify(directory)} + "/" + i + "/a/b", 0o755);`;
  const makers = [0, 1, 2, 3].map(() =>
    spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" }),
  );
  const ended = makers.map(async (maker) => (await once(maker, "exit"))[0]);
  assert.deepEqual(await Promise.all(ended), [0, 0, 0, 0]);
  assert.equal(readdirSync(directory).length, 3000);
});

test("files are written, replaced, read, listed and removed", (t) => {
  const directory = place(t);
  const at = (...names: string[]) => join(directory, ...names);
  file.mkdirAll(at("a/b/c"), 0o755);
  file.mkdirAll(at("a/b/c"), 0o755);
  file.replaceFile(at("a/file"), "text", 0o640);
  assert.equal(statSync(at("a/file")).mode & 0o777, 0o640 & ~process.umask());
  file.replaceFile(at("a/file"), "x".repeat(100_000), 0o640);
  assert.equal(file.readFile(at("a/file")).length, 100_000);
  assert.throws(() => file.replaceFile(at("a/b"), "text", 0o640), /rename/);
  assert.deepEqual(readdirSync(at("a")).toSorted(), ["b", "file"]);
  file.writeFile(at("a/file"), Uint8Array.of(121));
  assert.equal(file.readFile(at("a/file")).slice(0, 3), "yxx");
  assert.equal(file.attemptWriteFile(at("absent"), "x"), -ENOENT);
  symlinkSync("/etc", at("a/link"));
  assert.deepEqual(file.listDirectory(at("a")).toSorted(), ["b", "file", "link"]);
  assert.deepEqual(file.listDirectory(at("absent")), []);
  assert.deepEqual(
    [file.exists(at("a/link/passwd")), file.exists(at("absent")), file.readlink(at("a/link"))],
    [true, false, "/etc"],
  );
  const status = file.stat("/dev/null");
  assert.deepEqual([status?.device, (status?.mode ?? 0) & C.S_IFMT], [{ major: 1, minor: 3 }, C.S_IFCHR]);
  assert.equal(file.lstat(at("absent")), undefined);
  file.removeTree(at("a"));
  file.removeTree(at("a"));
  assert.deepEqual(readdirSync(directory), []);
  assert.ok(statSync("/etc/passwd").isFile());
  for (const attempt of [() => file.readFile(at("absent")), () => file.open(at("absent"), C.O_RDONLY)])
    assert.throws(attempt, {
      name: "SyscallError",
      errno: ENOENT,
      message: `open "${at("absent")}": no such file or directory (ENOENT)`,
    });
});

test("a failed system call is told by its name; expected errors are values", () => {
  assert.throws(() => sys("close", -1), { name: "SyscallError", message: "close: bad file descriptor (EBADF)" });
  assert.equal(
    expecting([9], 0, () => sys("close", -1)),
    0,
  );
  assert.throws(() => expecting([1], 0, () => sys("close", -1)), { errno: 9 });
});

test("paths become absolute", () => {
  assert.equal(absolutePath("/a/../b"), "/a/../b");
  assert.equal(absolutePath("."), process.cwd());
  assert.equal(absolutePath("x/y"), join(process.cwd(), "x/y"));
});

test("processes: start time, executable, ending, signals", () => {
  const own = processStatus(process.pid);
  assert.ok(own !== undefined && own.startTime > 0 && "RSD".includes(own.state));
  assert.equal(executableOf(process.pid), identityOf(file.stat(process.execPath) as file.Stat));
  assert.deepEqual([processStatus(2 ** 22), executableOf(2 ** 22), signal(2 ** 22, 0)], [undefined, undefined, false]);
  assert.deepEqual([exitStatus({ status: 3 }), exitStatus({ signal: 9 })], [3, 137]);
  const descriptor = openProcess(process.pid);
  assert.deepEqual(pollReadable([descriptor], 0), []);
  file.close(descriptor);
});

test("signals by name and number", () => {
  const cases: [name: string, number: number | undefined][] = [
    ["TERM", 15],
    ["SIGKILL", 9],
    ["sighup", 1],
    ["31", 31],
    ["64", 64],
    ["RTMIN", 34],
    ["SIGRTMIN+30", 64],
    ["RTMAX-1", 63],
    ["RTMAX+1", undefined],
    ["RTMIN-1", undefined],
    ["0", 0],
    ["65", undefined],
    ["-9", undefined],
    ["KIL", undefined],
    ["", undefined],
    ["POLL", 29],
  ];
  for (const [name, number] of cases) assert.equal(signalNumber(name), number, name);
});

test("sockets: packets, descriptors, names in directories of long paths", (t) => {
  const [one, two] = socketPair();
  file.writeAll(one, "packet");
  file.writeAll(one, "next");
  assert.equal(Buffer.from(receive(two, 100).bytes).toString(), "packet");
  assert.equal(Buffer.from(receive(two, 100).bytes).toString(), "next");
  file.close(one);
  assert.equal(receive(two, 100).bytes.length, 0);
  file.close(two);
  const deep = join(place(t), "x".repeat(100), "y".repeat(100));
  mkdirSync(deep, { recursive: true });
  file.using(file.open(deep, C.O_RDONLY | C.O_DIRECTORY), (directory) => {
    const listening = listenUnix(directory, "name.sock");
    const connected = connectIn(directory, "name.sock");
    file.close(connected);
    file.close(listening);
    assert.throws(() => connectIn(directory, "name.sock"), {
      message: 'connect to "name.sock": connection refused (ECONNREFUSED)',
    });
    assert.throws(() => connectIn(directory, "absent"), { errno: ENOENT });
  });
  assert.throws(() => connectUnix(`/${"x".repeat(108)}`), RangeError);
});

test("a file inside a root is reached by no link that leads out", (t) => {
  const directory = place(t);
  mkdirSync(join(directory, "etc"));
  chmodSync(directory, 0o755);
  symlinkSync("/etc/passwd", join(directory, "link"));
  file.using(file.open(directory, C.O_PATH | C.O_DIRECTORY), (root) => {
    assert.throws(() => file.openat2(root, "link", C.O_RDONLY, C.RESOLVE_IN_ROOT), { errno: ENOENT });
    writeFileSync(join(directory, "etc/passwd"), "own");
    file.using(file.openat2(root, "link", C.O_RDONLY, C.RESOLVE_IN_ROOT), (fd) => {
      assert.equal(Buffer.from(file.readAll(fd)).toString(), "own");
    });
  });
});
