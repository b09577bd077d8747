import type { Seccomp, SyscallArg } from "../../src/generated/config.js";
import { MULTIPLEXED } from "../../src/seccomp/multiplexed.js";
import { NUMBERS } from "../../src/seccomp/numbers.js";
import { ARCHITECTURES, type ArchitectureName } from "../../src/seccomp/vocabulary.js";
import type { Call } from "./interpreter.js";
import { random } from "./random.js";

const BIG = 2n ** 64n - 1n;
const MOST_COMBINATIONS = 3000;

/** The numbers of an architecture's system calls, by name. */
export function numbersOf(name: ArchitectureName): Map<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of NUMBERS[name].split(" ")) {
    if (/^\d/.test(word)) next = Number(word);
    else numbers.set(word, next++);
  }
  return numbers;
}

/**
 * System calls on which filters of a profile might differ: all numbers of its architectures and others around them, each
 * with some arguments; where rules look at arguments, with many, made of the values that they mention and those beside.
 */
export function* callsFor(profile: Seccomp, architectures: readonly ArchitectureName[]): Generator<Call> {
  const pick = random(1);
  const anyValues = interestingValues((profile.syscalls ?? []).flatMap(({ args = [] }) => args));
  for (const name of new Set(architectures)) {
    const { audit } = ARCHITECTURES[name];
    const conditions = conditionsByNumber(profile, name);
    for (const number of numbersAround(name)) {
      const args = conditions.get(number);
      const vectors = args === undefined ? samples(anyValues, pick) : combinations(interestingValues(args), pick);
      for (const args of vectors) yield { audit, number, args };
    }
  }
  const FOREIGN = 0x80000016;
  yield { audit: FOREIGN, number: 1, args: [0n, 0n, 0n, 0n, 0n, 0n] };
}

/** The conditions of a profile's rules by the number of the system call, if there are any. */
function conditionsByNumber({ syscalls = [] }: Seccomp, name: ArchitectureName): Map<number, SyscallArg[]> {
  const numbers = numbersOf(name);
  const found = new Map<number, SyscallArg[]>();
  const add = (syscall: string, args: readonly SyscallArg[]) => {
    const number = numbers.get(syscall);
    if (number !== undefined) found.set(number, [...(found.get(number) ?? []), ...args]);
  };
  for (const { names, args = [] } of syscalls.filter(({ args = [] }) => args.length > 0)) {
    for (const syscall of names) add(syscall, args);
  }
  for (const [carrier, calls] of Object.entries(MULTIPLEXED)) {
    for (const [call, value] of Object.entries(calls)) {
      add(carrier, [{ index: 0, op: "SCMP_CMP_EQ", value }]);
      for (const { args = [] } of syscalls.filter(({ names }) => names.includes(call))) add(carrier, args);
    }
  }
  return found;
}

/** By argument the values that conditions mention, and what is close to them or equal in one half. */
function interestingValues(conditions: readonly SyscallArg[]): bigint[][] {
  const values = Array.from({ length: 6 }, () => new Set([0n, BIG]));
  for (const { index, value, valueTwo = 0 } of conditions) {
    const [first, second] = [BigInt(value), BigInt(valueTwo)];
    const near = [first, second, first & second, BIG - first].flatMap((v) => [v - 1n, v, v + 1n, v ^ (1n << 32n)]);
    for (const v of near) values[index]?.add(BigInt.asUintN(64, v));
  }
  return values.map((set) => [...set]);
}

function* numbersAround(name: ArchitectureName): Generator<number> {
  const first = Math.min(...numbersOf(name).values());
  for (let number = 0; number < 1100; number++) {
    yield number;
    if (first >= 1100) yield first - 50 + number;
  }
  for (let number = 0xf0000; number < 0xf0010; number++) yield number;
  yield* [0x3fffffff, 0x40000000, 0x40000001, 0x400003ff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
}

/** A few arguments, for system calls on which they should not matter. */
function* samples(values: readonly bigint[][], pick: (count: number) => number): Generator<bigint[]> {
  yield [0n, 0n, 0n, 0n, 0n, 0n];
  for (let i = 0; i < 3; i++) yield values.map((some) => some[pick(some.length)] as bigint);
}

/** Every combination of values, each with every other where there are not too many, else as many as will do. */
function* combinations(values: readonly bigint[][], pick: (count: number) => number): Generator<bigint[]> {
  const varying = values.filter((some) => some.length > 2);
  const count = varying.reduce((product, some) => product * some.length, 1);
  if (count <= MOST_COMBINATIONS) {
    for (let i = 0; i < count; i++) {
      let rest = i;
      yield values.map((some) => {
        if (some.length <= 2) return 0n;
        const value = some[rest % some.length] as bigint;
        rest = Math.floor(rest / some.length);
        return value;
      });
    }
    return;
  }
  // Each value of each argument where the others are anything.
  for (const [argument, some] of values.entries()) {
    for (const value of some) {
      for (let i = 0; i < MOST_COMBINATIONS / some.length; i++) {
        yield values.map((other, index) => (index === argument ? value : (other[pick(other.length)] as bigint)));
      }
    }
  }
}
