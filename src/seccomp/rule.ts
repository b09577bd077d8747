import type { SyscallArg } from "../generated/config.js";
import { ALL } from "./filter.js";
import { OPERATORS, type Operator } from "./vocabulary.js";

/** A rule on a system call whose arguments matter: all of its conditions have to hold. */
export interface Rule {
  /** The filter's return value. */
  action: number;
  /** At most one an argument, in the order of the arguments. */
  conditions: Condition[];
  /** Which element of `linux.seccomp.syscalls` it comes from. */
  entry: number;
}

/** A comparison of an argument. */
export interface Condition {
  argument: number;
  operator: Operator;
  value: Halves;
  /** The bits that are compared, which are all but with SCMP_CMP_MASKED_EQ. */
  mask: Halves;
}

/** A 64-bit word as two of 32 bits. */
export interface Halves {
  high: number;
  low: number;
}

const WHOLE: Halves = { high: ALL, low: ALL };

/** A condition of a config. With a mask `value` is the mask, and `valueTwo` what the masked argument should be. */
export function conditionOf({ index, op, value, valueTwo = 0 }: SyscallArg): Condition {
  const operator = OPERATORS[op];
  if (!operator.masked) return { argument: index, operator, value: halves(value), mask: WHOLE };
  const mask = halves(value);
  const { high, low } = halves(valueTwo);
  return { argument: index, operator, value: { high: (high & mask.high) >>> 0, low: (low & mask.low) >>> 0 }, mask };
}

/** A condition that an argument equals a small number. */
export const equals = (argument: number, value: number): Condition => ({
  argument,
  operator: OPERATORS.SCMP_CMP_EQ,
  value: { high: 0, low: value },
  mask: WHOLE,
});

function halves(value: number | bigint): Halves {
  if (typeof value === "number") return { high: Math.floor(value / 0x100000000), low: value >>> 0 };
  return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
}
