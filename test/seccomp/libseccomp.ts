import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Seccomp, SeccompAction, SeccompArch, SeccompOperator, SyscallArg } from "../../src/generated/config.js";
import { cstring } from "../../src/linux/bytes.js";
import { using } from "../../src/linux/file.js";
import { sys } from "../../src/linux/syscall.js";

/** What we use of ffi-napi. */
interface Native {
  Library(name: string, functions: Record<string, [string, string[]]>): Record<string, (...args: unknown[]) => number>;
}

const FUNCTIONS: Record<string, [string, string[]]> = {
  seccomp_init: ["pointer", ["uint32"]],
  seccomp_release: ["void", ["pointer"]],
  seccomp_arch_add: ["int", ["pointer", "uint32"]],
  seccomp_arch_remove: ["int", ["pointer", "uint32"]],
  seccomp_arch_resolve_name: ["uint32", ["string"]],
  seccomp_arch_native: ["uint32", []],
  seccomp_attr_set: ["int", ["pointer", "int", "uint32"]],
  seccomp_rule_add_array: ["int", ["pointer", "uint32", "int", "uint", "pointer"]],
  seccomp_export_bpf: ["int", ["pointer", "int"]],
  seccomp_syscall_resolve_name: ["int", ["string"]],
  seccomp_syscall_resolve_name_arch: ["int", ["uint32", "string"]],
};

const ACTIONS: Record<SeccompAction, number> = {
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

/** enum scmp_compare, which counts from 1. */
const OPERATORS: SeccompOperator[] = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

/** The library that runc and crun make their filters with, called as they call it. */
export class Libseccomp {
  readonly #lib: ReturnType<Native["Library"]>;

  private constructor(lib: ReturnType<Native["Library"]>) {
    this.#lib = lib;
  }

  /** The library, or undefined where the machine has none. LIBSECCOMP names another than the system's. */
  static open(): Libseccomp | undefined {
    const native: Native = createRequire(import.meta.url)("ffi-napi");
    try {
      return new Libseccomp(native.Library(process.env.LIBSECCOMP ?? "libseccomp.so.2", FUNCTIONS));
    } catch {
      return undefined;
    }
  }

  /** The token of an architecture, 0 if the library does not know it. */
  token(arch: SeccompArch): number {
    return this.#call("seccomp_arch_resolve_name", arch.slice("SCMP_ARCH_".length).toLowerCase());
  }

  /** The number of a system call, negative where the architecture has none of its own. */
  numberOf(name: string, arch: SeccompArch): number {
    return this.#call("seccomp_syscall_resolve_name_arch", this.token(arch), name);
  }

  /** Whether the library knows a system call of this name. */
  knows(name: string): boolean {
    return this.#call("seccomp_syscall_resolve_name", name) !== -1;
  }

  /** The filter of a profile on a machine. Throws where the library refuses something. */
  compile(profile: Seccomp, native: SeccompArch): Uint8Array {
    const defaultAction = actionOf(profile.defaultAction, profile.defaultErrnoRet);
    const context = this.#call("seccomp_init", defaultAction);
    if (context === null) throw new Error("seccomp_init failed");
    try {
      for (const arch of [native, ...(profile.architectures ?? [])]) {
        const result = this.#call("seccomp_arch_add", context, this.token(arch));
        if (result !== 0 && result !== -17) throw new Error(`seccomp_arch_add ${arch}: ${result}`);
      }
      const own = this.#call("seccomp_arch_native");
      const wanted = [native, ...(profile.architectures ?? [])].map((arch) => this.token(arch));
      if (!wanted.includes(own)) this.#must("seccomp_arch_remove", context, own);
      // runc has a tree made of long rule sets.
      const names = (profile.syscalls ?? []).flatMap((rule) => rule.names);
      const TREE = 8;
      if (names.length > 32) this.#must("seccomp_attr_set", context, TREE, 2);
      for (const { names, action, errnoRet, args = [] } of profile.syscalls ?? []) {
        const value = actionOf(action, errnoRet);
        if (value === defaultAction) continue;
        const repeated = new Set(args.map(({ index }) => index)).size < args.length;
        const sets = repeated ? args.map((arg) => [arg]) : [args];
        for (const name of names) {
          const number = this.#call("seccomp_syscall_resolve_name", name);
          if (number === -1) continue;
          for (const set of sets) {
            this.#must("seccomp_rule_add_array", context, value, number, set.length, comparisons(set));
          }
        }
      }
      return this.#export(context);
    } finally {
      this.#call("seccomp_release", context);
    }
  }

  #export(context: unknown): Uint8Array {
    return using(sys("memfd_create", cstring("filter"), 0), (fd) => {
      this.#must("seccomp_export_bpf", context, fd);
      return readFileSync(`/proc/self/fd/${fd}`);
    });
  }

  #call(name: string, ...args: unknown[]): number {
    return (this.#lib[name] as (...args: unknown[]) => number)(...args);
  }

  #must(name: string, ...args: unknown[]): void {
    const result = this.#call(name, ...args);
    if (result !== 0) throw new Error(`${name}: ${result}`);
  }
}

const actionOf = (action: SeccompAction, number = 1): number =>
  ACTIONS[action] + (action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? number : 0);

/** An array of struct scmp_arg_cmp. */
function comparisons(args: readonly SyscallArg[]): Buffer {
  const bytes = Buffer.alloc(24 * args.length);
  args.forEach(({ index, op, value, valueTwo = 0 }, i) => {
    bytes.writeUInt32LE(index, 24 * i);
    bytes.writeUInt32LE(OPERATORS.indexOf(op) + 1, 24 * i + 4);
    bytes.writeBigUInt64LE(BigInt(value), 24 * i + 8);
    bytes.writeBigUInt64LE(BigInt(valueTwo), 24 * i + 16);
  });
  return bytes;
}
