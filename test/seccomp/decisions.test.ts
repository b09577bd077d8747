import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Arch } from "../../src/ffi/ffi.js";
import type { Seccomp, SyscallArg, SyscallRule } from "../../src/generated/config.js";
import { compileSeccomp } from "../../src/seccomp/compile.js";
import { MULTIPLEXED } from "../../src/seccomp/multiplexed.js";
import { ARCHITECTURES, type ArchitectureName, OPERATORS } from "../../src/seccomp/vocabulary.js";
import { shared } from "../folders.js";
import { callsFor, numbersOf } from "./calls.js";
import { type Call, dataOf, run, wordsOf } from "./interpreter.js";
import { Libseccomp } from "./libseccomp.js";
import { EVERYDAY, NASTY, profile, rule } from "./profiles.js";
import { random } from "./random.js";

const library = Libseccomp.open();
const NATIVE = { x86_64: "SCMP_ARCH_X86_64", aarch64: "SCMP_ARCH_AARCH64" } as const;
const ENOSYS = 0x50026;

/** Compares the filter of a profile with libseccomp's. */
function compare(t: TestContext, whole: Seccomp, arch: Arch): void {
  if (library === undefined) {
    t.skip("needs libseccomp.so.2");
    return;
  }
  const own = NATIVE[arch];
  const architectures = (whole.architectures ?? []) as ArchitectureName[];
  const known = [...new Set([own, ...architectures])].filter((name) => library.token(name) !== 0);
  const kept = { ...whole, architectures: known, syscalls: knownRules(library, whole.syscalls ?? [], known) };
  const ours = wordsOf(compileSeccomp(kept, arch));
  const theirs = wordsOf(library.compile(kept, own));
  const newest = newestNumbers(kept, known);
  let calls = 0;
  for (const call of callsFor(kept, known)) {
    const data = dataOf(call);
    const expected = isNewer(call, kept, newest) ? ENOSYS : run(theirs, data).value;
    const { value } = run(ours, data);
    if (value !== expected) assert.equal(value.toString(16), expected.toString(16), describe(call));
    calls++;
  }
  assert.ok(calls > 1000);
  t.diagnostic(`${calls} system calls; ${ours.length / 2} instructions, libseccomp has ${theirs.length / 2}`);
}

/** The rules without those names to which the library gives no number or another one, as old ones do to new calls. */
function knownRules(library: Libseccomp, rules: SyscallRule[], architectures: ArchitectureName[]): SyscallRule[] {
  const carried = Object.values(MULTIPLEXED).flatMap((calls) => Object.keys(calls));
  const numbers = new Map(architectures.map((name) => [name, numbersOf(name)]));
  const isKnown = (name: string) =>
    library.knows(name) &&
    architectures.every((arch) => {
      const ours = numbers.get(arch)?.get(name);
      const theirs = library.numberOf(name, arch);
      return ours === undefined ? theirs < 0 : ours === theirs || (theirs < 0 && carried.includes(name));
    });
  return rules
    .map((one) => ({ ...one, names: one.names.filter((name) => isKnown(name)) }))
    .filter(({ names }) => names.length > 0);
}

/** The greatest number that a profile names, by architecture. */
function newestNumbers({ syscalls = [] }: Seccomp, architectures: ArchitectureName[]): Map<ArchitectureName, number> {
  const names = syscalls.flatMap((one) => one.names);
  return new Map(
    architectures.map((arch) => {
      const numbers = numbersOf(arch);
      return [arch, Math.max(...names.map((name) => numbers.get(name) ?? -1))];
    }),
  );
}

/** Whether a system call is one that runc answers with ENOSYS because the profile does not go so far. */
function isNewer({ audit, number }: Call, { defaultAction }: Seccomp, newest: Map<ArchitectureName, number>): boolean {
  if (["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(defaultAction)) return false;
  return [...newest].some(([name, greatest]) => {
    if (ARCHITECTURES[name].audit !== audit || greatest < 0 || number <= greatest) return false;
    if (name === "SCMP_ARCH_X86_64") return number < 0x40000000;
    return true;
  });
}

const describe = ({ audit, number, args }: Call): string =>
  `architecture ${audit.toString(16)}, number ${number} (${number.toString(16)}), arguments ${args.map((arg) => arg.toString(16))}`;

test("on an everyday profile decisions are libseccomp's", (t) => compare(t, EVERYDAY, "x86_64"));

test("on an everyday profile for aarch64 decisions are libseccomp's", (t) =>
  compare(t, { ...EVERYDAY, architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"] }, "aarch64"));

for (const [name, nasty] of Object.entries(NASTY)) {
  test(`decisions are libseccomp's: ${name}`, (t) => compare(t, nasty, "x86_64"));
}

test("on engines' profiles decisions are libseccomp's", async (t) => {
  const folder = shared("engine-configs");
  if (folder === undefined) return t.skip("needs ../shared/engine-configs");
  const seen = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const seccomp: Seccomp | undefined = JSON.parse(readFileSync(`${folder}${file}`, "utf8")).linux?.seccomp;
    const text = JSON.stringify(seccomp);
    if (seccomp === undefined || seen.has(text)) continue;
    seen.add(text);
    await t.test(file, (t) => compare(t, seccomp, "x86_64"));
  }
  assert.ok(seen.size > 0);
});

test("decisions are libseccomp's where random rules have different actions", (t) => {
  if (library === undefined) return t.skip("needs libseccomp.so.2");
  const pick = random(7);
  let compared = 0;
  for (let round = 0; round < 300; round++) {
    const rules = randomRules(pick, ["ALLOW", "LOG", "TRAP"], ["EQ", "MASKED_EQ"]);
    const made = profile("ERRNO", rules, { architectures: ["SCMP_ARCH_X86"] });
    const ours: Uint8Array | undefined = orRefused(() => compileSeccomp(made, "x86_64"));
    const theirs: Uint8Array | undefined = orRefused(() => library.compile(made, "SCMP_ARCH_X86_64"));
    if (ours === undefined || theirs === undefined) {
      // Rules that contradict each other. libseccomp also refuses what a later rule would settle.
      assert.equal(theirs, undefined, text(rules));
      continue;
    }
    compared++;
    const [mine, its] = [wordsOf(ours), wordsOf(theirs)];
    for (const { call, data } of reads()) {
      const { value } = run(mine, data);
      if (value !== run(its, data).value) assert.fail(`${text(rules)}: ${describe(call)}`);
    }
  }
  assert.ok(compared > 200);
});

test("a rule applies if all of its conditions hold, whatever the others", () => {
  const pick = random(8);
  for (let round = 0; round < 500; round++) {
    const rules = randomRules(
      pick,
      ["ALLOW"],
      Object.keys(OPERATORS).map((name) => name.slice("SCMP_CMP_".length)),
    );
    const filter = wordsOf(compileSeccomp(profile("ERRNO", rules, { architectures: ["SCMP_ARCH_X86"] }), "x86_64"));
    for (const { call, data, bits } of reads()) {
      const allowed = rules.some(({ args = [] }) => args.every((arg) => holds(arg, call.args, bits)));
      if (run(filter, data).value !== (allowed ? ALLOW : EPERM)) assert.fail(`${text(rules)}: ${describe(call)}`);
    }
  }
});

const ALLOW = 0x7fff0000;
const EPERM = 0x50001;

const VALUES = [0n, 1n, 5n, 8n, 0xffffffffn, 0x1_0000_0000n, 0x1_0000_0005n, 0x8000_0000_0000_0000n, 2n ** 64n - 1n];
const ARGUMENTS = [...VALUES, 2n, 4n, 0xfffffffen, 0x2_0000_0005n];

/** Rules on read(2), with conditions on some of its arguments. */
function randomRules(pick: (count: number) => number, actions: string[], operators: string[]): SyscallRule[] {
  const one = <T>(some: readonly T[]): T => some[pick(some.length)] as T;
  return Array.from({ length: 1 + pick(5) }, () => {
    const indexes = [0, 1, 2].filter(() => pick(2) === 0);
    return rule(
      "read",
      one(actions),
      indexes.map((index) => [index, one(operators), one(VALUES), one(VALUES)]),
    );
  });
}

/** Calls of read(2) on x86-64 and x86. */
function* reads(): Generator<{ call: Call; data: Uint32Array; bits: 32 | 64 }> {
  for (const [audit, number, bits] of [
    [0xc000003e, 0, 64],
    [0x40000003, 3, 32],
  ] as const) {
    for (const a of ARGUMENTS) {
      for (const b of ARGUMENTS) {
        for (const c of ARGUMENTS.filter((_, i) => i % 3 === 0)) {
          const call = { audit, number, args: [a, b, c, 0n, 0n, 0n] };
          yield { call, data: dataOf(call), bits };
        }
      }
    }
  }
}

/** Whether a condition holds, by its definition. */
function holds({ index, op, value, valueTwo = 0 }: SyscallArg, args: readonly bigint[], bits: 32 | 64): boolean {
  const [argument, first, second] = [args[index] as bigint, BigInt(value), BigInt(valueTwo)].map((v) =>
    BigInt.asUintN(bits, v),
  );
  const [a, b, c] = [argument as bigint, first as bigint, second as bigint];
  switch (op) {
    case "SCMP_CMP_NE":
      return a !== b;
    case "SCMP_CMP_LT":
      return a < b;
    case "SCMP_CMP_LE":
      return a <= b;
    case "SCMP_CMP_EQ":
      return a === b;
    case "SCMP_CMP_GE":
      return a >= b;
    case "SCMP_CMP_GT":
      return a > b;
    case "SCMP_CMP_MASKED_EQ":
      return (a & b) === (c & b);
  }
}

function orRefused(make: () => Uint8Array): Uint8Array | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

const text = (rules: readonly SyscallRule[]): string =>
  JSON.stringify(rules, (_, value) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value));
