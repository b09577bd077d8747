import assert from "node:assert/strict";
import { test } from "node:test";
import { SYSCALLS } from "../../src/linux/syscalls.js";
import { MULTIPLEXED } from "../../src/seccomp/multiplexed.js";
import { NUMBERS } from "../../src/seccomp/numbers.js";
import type { ArchitectureName } from "../../src/seccomp/vocabulary.js";
import { numbersOf } from "./calls.js";
import { Libseccomp } from "./libseccomp.js";

const ARCHITECTURES = Object.keys(NUMBERS) as ArchitectureName[];

test("the numbers are those that the runtime itself uses", () => {
  const tables = [numbersOf("SCMP_ARCH_X86_64"), numbersOf("SCMP_ARCH_AARCH64")];
  for (const [name, numbers] of Object.entries(SYSCALLS)) {
    assert.deepEqual(
      tables.map((table) => table.get(name)),
      [...numbers],
      name,
    );
  }
});

test("no number comes twice, and they ascend", () => {
  for (const architecture of ARCHITECTURES) {
    const numbers = [...numbersOf(architecture).values()];
    assert.ok(numbers.length > 300, architecture);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      architecture,
    );
  }
});

test("the numbers are libseccomp's, where it has any", (t) => {
  const library = Libseccomp.open();
  if (library === undefined) return t.skip("needs libseccomp.so.2");
  const carried = Object.values(MULTIPLEXED).flatMap((calls) => Object.keys(calls));
  for (const architecture of ARCHITECTURES.filter((name) => library.token(name) !== 0)) {
    for (const [name, number] of numbersOf(architecture)) {
      const theirs = library.numberOf(name, architecture);
      // Negative: it does not know the call, or not on this architecture, or it is one that another can carry.
      if (theirs >= 0) assert.equal(number, theirs, `${name} on ${architecture}`);
      else if (theirs > -1000 && theirs !== -1) assert.ok(carried.includes(name), `${name} on ${architecture}`);
    }
  }
});
