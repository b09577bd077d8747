import type { Seccomp, SeccompAction, SyscallArg, SyscallRule } from "../../src/generated/config.js";
import { NUMBERS } from "../../src/seccomp/numbers.js";
import { OPERATORS } from "../../src/seccomp/vocabulary.js";

type Operator = keyof typeof OPERATORS;

/** A condition: argument, comparison without its prefix, value, and the value under a mask. */
type Condition = [index: number, op: string, value: number | bigint, valueTwo?: number | bigint];

/** A rule on system calls, by names with spaces between, and an action without its prefix. */
export function rule(
  names: string,
  action: string,
  conditions: readonly Condition[] = [],
  errnoRet?: number,
): SyscallRule {
  const args = conditions.map(([index, op, value, valueTwo]): SyscallArg => {
    return { index, op: `SCMP_CMP_${op}` as Operator, value, ...(valueTwo !== undefined && { valueTwo }) };
  });
  return {
    names: names.split(" "),
    action: `SCMP_ACT_${action}` as SeccompAction,
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args.length > 0 && { args }),
  };
}

/** A profile for x86-64 and what goes with it, unless told. */
export function profile(defaultAction: string, syscalls: SyscallRule[], more: Partial<Seccomp> = {}): Seccomp {
  return {
    defaultAction: `SCMP_ACT_${defaultAction}` as SeccompAction,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls,
    ...more,
  };
}

const DANGEROUS =
  "acct add_key bpf clock_adjtime clock_adjtime64 clock_settime clock_settime64 clone clone3 create_module delete_module " +
  "fanotify_init finit_module get_kernel_syms init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl " +
  "lookup_dcookie mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open " +
  "personality pivot_root process_vm_readv process_vm_writev ptrace query_module quotactl reboot request_key setns " +
  "settimeofday socket stime swapoff swapon sysfs syslog umount umount2 unshare uselib userfaultfd ustat vm86 vm86old";

/** All system calls of a machine and its 32-bit forms but those that would let one out of a container. */
function harmless(): string {
  const { SCMP_ARCH_X86, SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64 } = NUMBERS;
  const tables = [SCMP_ARCH_X86, SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64];
  const names = new Set(tables.flatMap((table) => table.split(" ")).filter((word) => !/^\d/.test(word)));
  for (const name of DANGEROUS.split(" ")) names.delete(name);
  return [...names].sort().join(" ");
}

const NAMESPACES = 0x7e020000;

/** A profile as engines write it: a long list of what is allowed, some of it by arguments. */
export const EVERYDAY = profile("ERRNO", [
  rule(harmless(), "ALLOW"),
  ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((persona) => rule("personality", "ALLOW", [[0, "EQ", persona]])),
  rule("clone", "ALLOW", [[0, "MASKED_EQ", NAMESPACES, 0]]),
  rule("clone3", "ERRNO", [], 38),
  rule(
    "socket",
    "ERRNO",
    [
      [0, "EQ", 16],
      [2, "EQ", 9],
    ],
    22,
  ),
  rule("socket", "ALLOW", [[2, "NE", 9]]),
  rule("socket", "ALLOW", [[0, "NE", 16]]),
]);

const BIG = 2n ** 64n - 1n;
const OPERATOR_NAMES = Object.keys(OPERATORS).map((name) => name.slice("SCMP_CMP_".length));

/** Profiles, by what is nasty about them, on which fdrunc decides as libseccomp does. */
export const NASTY: Record<string, Seccomp> = {
  "no rules, all allowed": profile("ALLOW", []),
  "no rules, all refused": profile("ERRNO", [], { architectures: [] }),
  "no rules and none for x32": profile("KILL_PROCESS", [], { architectures: ["SCMP_ARCH_X86"] }),
  "what is denied, with every kind of action": profile("ALLOW", [
    rule("reboot kexec_load", "KILL"),
    rule("mount umount2", "KILL_PROCESS"),
    rule("swapon", "KILL_THREAD"),
    rule("swapoff", "TRAP"),
    rule("ptrace", "TRACE"),
    rule("personality", "TRACE", [], 0xffff),
    rule("acct", "ERRNO"),
    rule("bpf", "ERRNO", [], 0),
    rule("syslog", "ERRNO", [], 4094),
    rule("setns", "LOG"),
    rule("mkdir mkdirat", "NOTIFY"),
  ]),
  "a default error number, and rules that repeat the default": profile(
    "ERRNO",
    [
      rule("read write", "ERRNO", [], 38),
      rule("write", "ALLOW"),
      rule("close", "ERRNO"),
      rule("open", "ALLOW", [[1, "EQ", 0]]),
      rule("open", "ERRNO", [[1, "EQ", 1]], 38),
    ],
    { defaultErrnoRet: 38 },
  ),
  "every comparison with values of up to 64 bits": profile(
    "ERRNO",
    [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x5_0000_0007, 2n ** 63n, BIG - 1n, BIG].flatMap(
      (value, i) =>
        OPERATOR_NAMES.map((op, j) =>
          rule(everyCall(10 * j + i), "ALLOW", [[j % 6, op, value, ...(op === "MASKED_EQ" ? [BIG] : [])] as Condition]),
        ),
    ),
  ),
  "the same argument twice in a rule": profile("ERRNO", [
    rule("ioctl", "ALLOW", [
      [1, "EQ", 0x5401],
      [1, "EQ", 0x5402],
      [2, "EQ", 7],
    ]),
    rule("lseek", "ALLOW", [
      [1, "GT", 10],
      [1, "LT", 5],
    ]),
  ]),
  "all six arguments at once": profile("ERRNO", [
    rule("mmap", "ALLOW", [
      [5, "EQ", 0],
      [0, "EQ", 0],
      [2, "MASKED_EQ", 4, 0],
      [1, "EQ", 4096],
      [3, "EQ", 34],
      [4, "EQ", BIG],
    ]),
    rule("mmap", "ALLOW", [
      [0, "EQ", 0],
      [1, "EQ", 4096],
      [2, "EQ", 7],
    ]),
  ]),
  "ranges that overlap": profile("ERRNO", [
    rule("read", "ALLOW", [[2, "LT", 16]]),
    rule("read", "ALLOW", [[2, "GE", 0x1000]]),
    rule("read", "ALLOW", [[2, "EQ", 0x800]]),
    rule("write", "ALLOW", [[2, "LE", 16]]),
    rule("write", "ALLOW", [[2, "LT", 12]]),
    rule("write", "ALLOW", [[0, "GT", 2]]),
    rule("pread64", "ALLOW", [[3, "GT", BIG - 1n]]),
    rule("pwrite64", "ALLOW", [[3, "LE", 0xffffffff]]),
  ]),
  "masks: none, one bit, all, and only in the high half": profile("ERRNO", [
    rule("read", "ALLOW", [[0, "MASKED_EQ", 0, 5]]),
    rule("write", "ALLOW", [[0, "MASKED_EQ", 8, 8]]),
    rule("open", "ALLOW", [[0, "MASKED_EQ", BIG, 2n ** 40n + 1n]]),
    rule("close", "ALLOW", [[0, "MASKED_EQ", 0xf0_0000_0000, 0x50_0000_0000]]),
    rule("stat", "ALLOW", [[0, "MASKED_EQ", 0xf0, 0xff]]),
    rule("fstat", "ALLOW", [[0, "MASKED_EQ", 0xff0000ff00, 0x1200003400]]),
    rule("lstat", "ALLOW", [[0, "MASKED_EQ", 0x80000000, 0x80000000]]),
  ]),
  "rules that override each other": profile("ERRNO", [
    rule("read", "ALLOW", [[0, "EQ", 5]]),
    rule("read", "LOG"),
    rule("read", "TRAP"),
    rule("read", "KILL", [[0, "EQ", 1]]),
    rule("write", "TRAP"),
    rule("write", "ALLOW", [[0, "EQ", 1]]),
  ]),
  "different actions on arguments that can be the same": profile("ERRNO", [
    rule("ioctl", "ALLOW", [[1, "MASKED_EQ", 0xff00, 0x5400]]),
    rule("ioctl", "TRAP", [[1, "EQ", 0x5412]]),
    rule("ioctl", "LOG", [[1, "MASKED_EQ", 0xf, 2]]),
    rule("ioctl", "KILL", [[0, "EQ", 3]]),
    rule("ioctl", "TRACE", [
      [0, "EQ", 4],
      [2, "EQ", 9],
    ]),
    rule("ioctl", "TRACE", [[2, "EQ", 8]]),
    rule("lseek", "ALLOW", [[1, "GE", 100]]),
    rule("lseek", "TRAP", [[1, "EQ", 200]]),
    rule("lseek", "LOG", [[1, "LT", 300]]),
    rule("lseek", "KILL", [[1, "GT", 400]]),
    rule("fcntl", "ALLOW", [[0, "EQ", 1]]),
    rule("fcntl", "TRAP", [
      [0, "EQ", 1],
      [1, "EQ", 2],
    ]),
  ]),
  "hundreds of rules on a system call": profile(
    "ERRNO",
    Array.from({ length: 600 }, (_, i) =>
      rule("ioctl", ["ALLOW", "LOG", "TRAP"][i % 3] as string, [[1, "EQ", 0x5400 + 3 * i]]),
    ),
  ),
  "hundreds of arguments that differ in the high half": profile(
    "ERRNO",
    Array.from({ length: 300 }, (_, i) => rule("ioctl", "ALLOW", [[2, "EQ", BigInt(i % 7) * 2n ** 32n + BigInt(i)]])),
  ),
  "arguments of system calls that socketcall and ipc carry": profile("ERRNO", [
    rule("socket", "ALLOW", [
      [0, "EQ", 1],
      [1, "EQ", 2],
    ]),
    rule("socketpair bind listen accept accept4 sendmmsg", "ALLOW"),
    rule("sendto", "ALLOW", [[5, "EQ", 16]]),
    rule("semop semtimedop msgget", "ALLOW"),
    rule("shmget", "TRAP", [[1, "EQ", 4096]]),
    rule("shmat", "TRAP", [[0, "EQ", 7]]),
  ]),
  "socketcall by itself": profile("ERRNO", [
    rule("socketcall", "ALLOW", [[0, "EQ", 3]]),
    rule("socketcall", "TRAP", [[0, "EQ", 4]]),
    rule("socket", "ALLOW"),
  ]),
  "names that there are not": profile("ERRNO", [
    rule("frobnicate read no_such_call", "ALLOW"),
    rule("twiddle", "KILL"),
  ]),
  "x32 alone": profile("ERRNO", [rule("read write ioctl execve", "ALLOW")], { architectures: ["SCMP_ARCH_X32"] }),
  "every architecture of this byte order": profile(
    "ERRNO",
    [
      rule("read write open openat close exit exit_group mmap mmap2 cacheflush set_tls sysmips socket semget", "ALLOW"),
      rule("lseek", "ALLOW", [[1, "LT", 0x1_0000_0000]]),
    ],
    { architectures: Object.keys(NUMBERS) as (keyof typeof NUMBERS)[] },
  ),
};

/** A system call, all of which differ. */
function everyCall(i: number): string {
  const words = NUMBERS.SCMP_ARCH_AARCH64.split(" ").filter((word) => !/^\d/.test(word));
  return words[i] as string;
}
