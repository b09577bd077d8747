import type { SeccompAction, SeccompFlag, SeccompOperator } from "../generated/config.js";
import { TEST, type Test } from "./filter.js";
import type { NUMBERS } from "./numbers.js";

/** What a filter returns for an action (linux/seccomp.h). */
export const ACTIONS: Record<SeccompAction, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
};

/** Actions that come with a number, in the lower 16 bits of what the filter returns. */
export const NUMBERED: readonly SeccompAction[] = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"];

/** A test or, negated, its opposite. */
export interface Operator {
  test: Test;
  negated: boolean;
  masked: boolean;
  /** Of conditions on one argument libseccomp tries those of a higher rank first. */
  rank: number;
}

/** The comparisons of arguments. */
export const OPERATORS: Record<SeccompOperator, Operator> = {
  SCMP_CMP_NE: { test: TEST.equal, negated: true, masked: false, rank: 3 },
  SCMP_CMP_LT: { test: TEST.atLeast, negated: true, masked: false, rank: 2 },
  SCMP_CMP_LE: { test: TEST.greater, negated: true, masked: false, rank: 2 },
  SCMP_CMP_EQ: { test: TEST.equal, negated: false, masked: false, rank: 3 },
  SCMP_CMP_GE: { test: TEST.atLeast, negated: false, masked: false, rank: 1 },
  SCMP_CMP_GT: { test: TEST.greater, negated: false, masked: false, rank: 1 },
  SCMP_CMP_MASKED_EQ: { test: TEST.equal, negated: false, masked: true, rank: 3 },
};

/** The flags of seccomp(2) that a config may name. */
export const FLAGS: Record<SeccompFlag, number> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0x20,
};

/** An architecture whose numbers we have. */
export type ArchitectureName = keyof typeof NUMBERS;

/** How a filter sees an architecture: its AUDIT_ARCH_* of linux/audit.h, and how wide arguments are. */
export const ARCHITECTURES: Record<ArchitectureName, { audit: number; bits: 32 | 64 }> = {
  SCMP_ARCH_X86: { audit: 0x40000003, bits: 32 },
  SCMP_ARCH_X86_64: { audit: 0xc000003e, bits: 64 },
  SCMP_ARCH_X32: { audit: 0xc000003e, bits: 32 },
  SCMP_ARCH_ARM: { audit: 0x40000028, bits: 32 },
  SCMP_ARCH_AARCH64: { audit: 0xc00000b7, bits: 64 },
  SCMP_ARCH_LOONGARCH64: { audit: 0xc0000102, bits: 64 },
  SCMP_ARCH_MIPSEL: { audit: 0x40000008, bits: 32 },
  SCMP_ARCH_MIPSEL64: { audit: 0xc0000008, bits: 64 },
  SCMP_ARCH_MIPSEL64N32: { audit: 0xe0000008, bits: 32 },
  SCMP_ARCH_PPC64LE: { audit: 0xc0000015, bits: 64 },
  SCMP_ARCH_RISCV64: { audit: 0xc00000f3, bits: 64 },
  SCMP_ARCH_SH: { audit: 0x4000002a, bits: 32 },
};
