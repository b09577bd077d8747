import assert from "node:assert/strict";
import { test } from "node:test";
import type { Seccomp } from "../../src/generated/config.js";
import { Failure } from "../../src/linux/failure.js";
import { compileSeccomp, filterFlags } from "../../src/seccomp/compile.js";
import { disassemble } from "./disassemble.js";
import { dataOf, run, wordsOf } from "./interpreter.js";
import { EVERYDAY, profile, rule } from "./profiles.js";

const X86_64 = 0xc000003e;
const X86 = 0x40000003;
const AARCH64 = 0xc00000b7;

const [KILL, ERRNO, ALLOW] = [0, 0x50000, 0x7fff0000];
const [EPERM, ENOSYS] = [ERRNO + 1, ERRNO + 38];

/** What the filter of a profile returns for a system call. */
function decide(seccomp: Seccomp, number: number, args: bigint[] = [], audit = X86_64): number {
  const filter = compileSeccomp(seccomp, audit === AARCH64 ? "aarch64" : "x86_64");
  const all = [...args, ...Array<bigint>(6 - args.length).fill(0n)];
  return run(wordsOf(filter), dataOf({ audit, number, args: all })).value;
}

const refusal = (message: string) => (error: unknown) => error instanceof Failure && error.message === message;

const SMALL = `\
  0  load arch
  1  if == 0xc000003e 2 else 26
  2  load nr
  3  if >= 0x39 4 else 8
  4  if >= 0x88 5 else 7
  5  if >= 0x40000000 6 else 27
  6  if >= 0xffffffff 28 else 26
  7  if >= 0x87 12 else 28
  8  if >= 3 9 else 11
  9  if >= 4 10 else 25
 10  if >= 0x38 17 else 28
 11  if >= 2 28 else 25
 12  load arg0.high
 13  if == 0 14 else 28
 14  load arg0
 15  if == 8 25 else 16
 16  if == 0xffffffff 25 else 28
 17  load arg0
 18  if & 0x7e020000 28 else 19
 19  load arg1.high
 20  if > 1 24 else 21
 21  if == 1 22 else 28
 22  load arg1
 23  if > 0 24 else 28
 24  return 0x30000
 25  return 0x7fff0000
 26  return 0
 27  return 0x50026
 28  return 0x50001
`;

test("the filter of a small profile", () => {
  const filter = compileSeccomp(
    profile(
      "ERRNO",
      [
        rule("read write close", "ALLOW"),
        rule("personality", "ALLOW", [[0, "EQ", 8]]),
        rule("personality", "ALLOW", [[0, "EQ", 0xffffffff]]),
        rule("clone", "TRAP", [
          [0, "MASKED_EQ", 0x7e020000, 0],
          [1, "GT", 0x1_0000_0000],
        ]),
      ],
      { architectures: [] },
    ),
    "x86_64",
  );
  assert.equal(disassemble(filter), SMALL);
});

test("system calls newer than the profile are not there, unless the default action is lenient", () => {
  const rules = [rule("read close", "ALLOW")];
  for (const action of ["ERRNO", "KILL", "KILL_PROCESS", "TRAP"]) {
    assert.equal(decide(profile(action, rules), 4), ENOSYS, action);
    assert.equal(decide(profile(action, rules), 2), decide(profile(action, []), 2), action);
  }
  for (const action of ["ALLOW", "LOG", "TRACE"]) {
    assert.equal(decide(profile(action, rules), 4), decide(profile(action, []), 4), action);
  }
  assert.equal(
    decide(profile("ERRNO", [rule("read", "ALLOW"), rule("fork", "ERRNO")]), 56),
    EPERM,
    "named, with the default action",
  );
  assert.equal(decide(profile("ERRNO", rules), 0x40000004), ENOSYS, "x32");
  assert.equal(decide(profile("ERRNO", rules), 7, [], X86), ENOSYS, "x86");
  assert.equal(decide(profile("ERRNO", []), 1000), EPERM, "no rules");
});

test("x32 is another architecture, but not the number -1, with which tracers skip a system call", () => {
  const seccomp = profile("ERRNO", [rule("read write", "ALLOW")], { architectures: ["SCMP_ARCH_X86_64"] });
  assert.equal(decide(seccomp, 0x40000000), KILL);
  assert.equal(decide(seccomp, 0xfffffffe), KILL);
  assert.equal(decide(seccomp, 0xffffffff), EPERM);
});

test("the machine's own architecture need not be named, and others are killed", () => {
  const seccomp = profile("ERRNO", [rule("read", "ALLOW")], { architectures: ["SCMP_ARCH_ARM"] });
  assert.equal(decide(seccomp, 63, [], AARCH64), ALLOW);
  assert.equal(decide(seccomp, 0), ALLOW);
  assert.equal(decide(seccomp, 3, [], X86), KILL);
});

test("names that differ by architecture", () => {
  const seccomp = profile("ERRNO", [rule("mmap2 openat", "ALLOW")]);
  assert.equal(decide(seccomp, 192, [], X86), ALLOW);
  assert.equal(decide(seccomp, 192), EPERM);
  assert.equal(decide(seccomp, 257), ALLOW);
});

test("conditions on different arguments all have to hold, also where libseccomp loses some", () => {
  // libseccomp 2.5 and 2.6 allow (0, 0) and refuse (5, 1).
  const odd = profile("ERRNO", [
    rule("lseek", "ALLOW", [
      [0, "NE", 1],
      [1, "EQ", 7],
    ]),
    rule("lseek", "ALLOW", [
      [0, "NE", 0],
      [1, "NE", 5],
    ]),
  ]);
  assert.equal(decide(odd, 8, [0n, 0n]), EPERM);
  assert.equal(decide(odd, 8, [5n, 1n]), ALLOW);
  // It refuses 4.
  const ranges = profile("ERRNO", [
    rule("lseek", "ALLOW", [[0, "LE", 0]]),
    rule("lseek", "ALLOW", [[0, "LE", 0x1_0000_0005]]),
  ]);
  assert.equal(decide(ranges, 8, [4n]), ALLOW);
});

test("flags", () => {
  const flagsOf = (flags?: Seccomp["flags"]) => filterFlags(profile("ALLOW", [], flags && { flags }));
  assert.equal(flagsOf(), 4, "SPEC_ALLOW where there are none");
  assert.equal(flagsOf([]), 0);
  assert.equal(flagsOf(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]), 3);
});

test("jumps farther than 255 instructions get there", () => {
  const personas = Array.from({ length: 900 }, (_, i) => 3 * i);
  const seccomp = profile(
    "ERRNO",
    personas.map((value) => rule("personality", "TRACE", [[0, "EQ", value]], value)),
  );
  assert.ok(compileSeccomp(seccomp, "x86_64").length / 8 > 1800);
  for (const value of [0, 3, 600, 1500, 2697]) assert.equal(decide(seccomp, 135, [BigInt(value)]), 0x7ff00000 + value);
  assert.equal(decide(seccomp, 135, [4n]), EPERM);
  assert.equal(decide(seccomp, 135, [1n << 32n]), EPERM);
  assert.equal(decide(seccomp, 136), ENOSYS);
});

test("a filter longer than the kernel takes is refused", () => {
  const rules = Array.from({ length: 3000 }, (_, i) => rule("ioctl", "TRACE", [[1, "EQ", i]], i));
  assert.throws(
    () => compileSeccomp(profile("ERRNO", rules), "x86_64"),
    /^Failure: linux.seccomp: the filter has \d+ instructions, the kernel takes 4096$/,
  );
});

test("an architecture of the other byte order is refused", () => {
  assert.throws(
    () => compileSeccomp(profile("ERRNO", [], { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_S390X"] }), "x86_64"),
    refusal(
      'linux.seccomp.architectures[1]: "SCMP_ARCH_S390X" does not go with x86_64 (filters are made of architectures that share their byte order)',
    ),
  );
});

test("rules that contradict each other are refused", () => {
  const contradicting = profile("ERRNO", [
    rule("read", "ALLOW"),
    rule("write", "ALLOW", [
      [0, "EQ", 1],
      [1, "EQ", 2],
    ]),
    rule("write", "KILL", [[0, "EQ", 1]]),
  ]);
  const message =
    "linux.seccomp.syscalls[2]: contradicts linux.seccomp.syscalls[1]: the same conditions have another action";
  assert.throws(() => compileSeccomp(contradicting, "x86_64"), refusal(message));
});

test("an everyday profile takes few instructions", () => {
  const filter = compileSeccomp(EVERYDAY, "x86_64");
  assert.ok(filter.length / 8 < 350, String(filter.length / 8));
  const words = wordsOf(filter);
  const zero = [0n, 0n, 0n, 0n, 0n, 0n];
  for (let number = 0; number < 500; number++) {
    if (number === 41 || number === 56 || number === 135) continue;
    const { steps } = run(words, dataOf({ audit: X86_64, number, args: zero }));
    assert.ok(steps <= 12, `system call ${number}: ${steps}`);
  }
});
