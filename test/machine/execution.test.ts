import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Arch } from "../../src/ffi/ffi.js";
import { Builder, flags, slot, text } from "../../src/init/builder.js";
import { elf } from "../../src/machine/elf.js";
import { type Label, REPORT_SIZE } from "../../src/machine/program.js";

const HERE: Arch = process.arch === "arm64" ? "aarch64" : "x86_64";

const directory = mkdtempSync(join(tmpdir(), "fdrunc-machine-"));
after(() => rmSync(directory, { recursive: true }));

/** The command that runs an architecture's executables; undefined where there is none. */
function runner(arch: Arch): string[] | undefined {
  if (arch === HERE) return [];
  const emulator = `/usr/bin/qemu-${arch}`;
  return existsSync(emulator) ? [emulator] : undefined;
}

interface Ran {
  status: number | null;
  stdout: Buffer;
}

/** A test on each architecture: builds a program, whose failures are reported on standard output, and runs it. */
function onEach(name: string, build: (b: Builder) => void, check: (ran: Ran) => void): void {
  for (const arch of ["x86_64", "aarch64"] as const)
    test(`${arch}: ${name}`, (t) => {
      const command = runner(arch);
      if (command === undefined) return t.skip(`needs qemu-${arch}`);
      const b = new Builder();
      b.about(name);
      b.slot("input");
      build(b);
      const file = join(directory, `${arch}-${name.replace(/\W+/g, "-")}`);
      writeFileSync(file, elf(b.finish(), arch, { report: 1, context: -1, input: 0x1122334455 }, 100));
      chmodSync(file, 0o755);
      const { status, stdout } = spawnSync([...command, file][0], [...command, file].slice(1), { input: "typed" });
      check({ status, stdout });
    });
}

// biome-ignore lint/suspicious/noThenProperty: a step's option, no promise
const onSuccess = (label: Label) => ({ then: label });

const say = (b: Builder, what: string) => b.call("write", [1, text(what), Buffer.byteLength(what)]);
const said = (what: string) => (ran: Ran) => assert.deepEqual([ran.status, ran.stdout.toString()], [0, what]);

/** A report: the step's number and the errno, and nothing of a mount context. */
function reports(step: number, errno: number, before = ""): (ran: Ran) => void {
  return ({ status, stdout }) => {
    assert.equal(status, 1);
    assert.equal(stdout.subarray(0, -REPORT_SIZE).toString(), before);
    const report = stdout.subarray(-REPORT_SIZE);
    assert.deepEqual([report.readUInt32LE(0), report.readUInt32LE(4)], [step, errno]);
    assert.ok(report.subarray(8).every((byte) => byte === 0));
  };
}

onEach("an empty program exits", () => {}, said(""));

onEach(
  "texts, also long ones and such with other characters",
  (b) => {
    say(b, "hello\n");
    say(b, "x".repeat(5000));
    say(b, "ü€😀");
  },
  said(`hello\n${"x".repeat(5000)}ü€😀`),
);

onEach(
  "slots hold results and inputs, and are passed on",
  (b) => {
    b.call("write", [1, { at: "input" }, 8]);
    b.call("getpid", [], { into: "pid" });
    b.call("kill", [slot("pid"), 0]);
    b.store(0x7fffffffffffn, "large");
    b.call("write", [1, { at: "large" }, 8]);
    b.store(slot("large"), "copy");
    b.store(-2, "negative");
    b.call("write", [1, { at: "copy" }, 8]);
    b.call("write", [1, { at: "negative" }, 8]);
  },
  ({ status, stdout }) => {
    assert.equal(status, 0);
    const words = [0, 8, 16, 24].map((at) => stdout.readBigInt64LE(at));
    assert.deepEqual(words, [0x1122334455n, 0x7fffffffffffn, 0x7fffffffffffn, -2n]);
  },
);

onEach(
  "structs and bytes lie in memory as the kernel reads them",
  (b) => {
    b.call("nanosleep", [{ struct: [0, 1000] }, 0]);
    b.call("nanosleep", [{ struct: [0, 1_000_000_000] }, 0], { on: { EINVAL: "next" } });
    b.call("write", [1, { struct: [1, -2, 0x1122334455667788n] }, 24]);
    b.call("write", [1, { bytes: Uint8Array.of(0x61, 0x62), shown: "ab" }, 2]);
  },
  ({ status, stdout }) => {
    assert.equal(status, 0);
    assert.deepEqual(
      [0, 8, 16].map((at) => stdout.readBigInt64LE(at)),
      [1n, -2n, 0x1122334455667788n],
    );
    assert.equal(stdout.toString("utf8", 24), "ab");
  },
);

onEach(
  "a failed call is reported by its number and errno",
  (b) => {
    say(b, "before");
    b.call("close", [-1]);
    say(b, "never");
  },
  reports(101, 9, "before"),
);

onEach(
  "an errno leads where the step says, and others fail",
  (b) => {
    const [there, end] = [b.label(), b.label()];
    b.call("chdir", [text("/absent")], { on: { EACCES: end, ENOENT: there } });
    say(b, "never");
    b.bind(there);
    say(b, "there ");
    b.call("close", [-1], { on: { "*": "next" } });
    b.call("close", [-1], { on: { EBADF: "next" } });
    say(b, "on ");
    b.call("chdir", [text("/absent")], { on: { EBADF: end } });
    b.bind(end);
    say(b, "never");
  },
  reports(106, 2, "there on "),
);

onEach(
  "success, zero and any error lead where the step says",
  (b) => {
    const [first, second, third, end] = [b.label(), b.label(), b.label(), b.label()];
    b.call("getpid", [], onSuccess(first));
    say(b, "never");
    b.bind(first);
    b.call("umask", [0]);
    b.call("umask", [0], { zero: second });
    say(b, "never");
    b.bind(second);
    b.call("close", [-1], { on: { "*": third }, ...onSuccess(end) });
    say(b, "never");
    b.bind(third);
    b.jump(end);
    say(b, "never");
    b.bind(end);
    say(b, "end");
  },
  said("end"),
);

onEach(
  "the end of a file where a word was due fails",
  (b) => {
    const word = b.buffer("word", 8);
    b.call("read", [0, word, 8], { zero: "fail" });
    b.call("read", [0, word, 8], { zero: "fail" });
  },
  reports(101, 0),
);

onEach(
  "numbers in memory are compared, masked, by their size",
  (b) => {
    const end = b.label();
    const status = { memory: "number", offset: 0 } as const;
    b.store(0xffff8180n | (7n << 32n), "number");
    const cases: [size: 1 | 2 | 4, offset: number, mask: number | undefined, value: number, isEqual: boolean][] = [
      [1, 0, undefined, 0x80, true],
      [1, 1, undefined, 0x80, false],
      [2, 0, undefined, 0x8180, true],
      [2, 0, 0xf000, 0x8000, true],
      [4, 0, undefined, 0xffff8180, true],
      [4, 4, undefined, 7, true],
      [4, 4, undefined, 8, false],
      [2, 0, 0x0f00, 0, false],
    ];
    for (const [size, offset, mask, value, isEqual] of cases) {
      const [equal, differs, next] = [b.label(), b.label(), b.label()];
      const at = { ...status, offset, size, ...(mask !== undefined && { mask }) };
      if (isEqual) b.test(at, value, { differs: end });
      else b.test(at, value, { equal: end });
      b.test(at, value, { equal });
      b.bind(differs);
      say(b, "d");
      b.jump(next);
      b.bind(equal);
      say(b, "e");
      b.bind(next);
    }
    b.bind(end);
  },
  said("edeeeedd"),
);

onEach("a step fails by itself", (b) => b.fail("EXDEV"), reports(100, 18));

onEach(
  "a result lands inside a struct",
  (b) => {
    const at = b.struct("struct", [5, { place: "inside" }, { flags: "O_CLOEXEC" }]);
    b.call("umask", [0o22]);
    b.call("umask", [0], { into: "inside" });
    b.call("write", [1, at, 24]);
  },
  ({ status, stdout }) => {
    assert.equal(status, 0);
    assert.deepEqual(
      [0, 8, 16].map((place) => stdout.readBigInt64LE(place)),
      [5n, 0o22n, 0x80000n],
    );
  },
);

onEach(
  "a program of some thousand steps keeps its distances",
  (b) => {
    const end = b.label();
    b.call("getpid", [], onSuccess(end));
    for (let i = 0; i < 3000; i++)
      b.call("close", [i, flags("AT_FDCWD"), text(`text ${i}`)], { on: { EBADF: "next" } });
    b.bind(end);
    say(b, "far ");
    b.call("close", [-1]);
  },
  reports(3102, 9, "far "),
);

onEach(
  "what is executed takes arguments and environment",
  (b) => {
    b.call("execve", [
      text("/bin/sh"),
      { strings: ["sh", "-c", 'echo "$0 $1 $A"', "zero", "one"] },
      { strings: ["A=b c"] },
    ]);
  },
  ({ status, stdout }) => {
    // An emulator of another machine has no shell of that machine's: what it executes is the host's.
    assert.deepEqual([status, stdout.toString()], [0, "zero one b c\n"]);
  },
);
