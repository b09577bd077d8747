import type { Arch } from "../ffi/ffi.js";
import type { Seccomp, SeccompAction } from "../generated/config.js";
import { ENOSYS } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { decideByArguments } from "./decision.js";
import { ALL, Filter, type Node, TEST } from "./filter.js";
import { NUMBERS } from "./numbers.js";
import { Ranges } from "./ranges.js";
import type { Rule } from "./rule.js";
import { returnValue, rulesOf } from "./rules.js";
import { ACTIONS, ARCHITECTURES, type ArchitectureName, FLAGS } from "./vocabulary.js";

/** Words of struct seccomp_data, by their offsets. */
const NUMBER = 0;
const ARCH = 4;

/** The audit value that x86-64 and x32 share, and the first number of x32. */
const X86_64 = ARCHITECTURES.SCMP_ARCH_X86_64.audit;
const FIRST_X32 = 0x40000000;

/** The size of an instruction in bytes, and how many of them the kernel takes (BPF_MAXINSNS). */
const INSTRUCTION = 8;
const MOST = 4096;

const NATIVE: Record<Arch, ArchitectureName> = { x86_64: "SCMP_ARCH_X86_64", aarch64: "SCMP_ARCH_AARCH64" };

/** Default actions that also apply to system calls newer than the profile. */
const LENIENT: readonly SeccompAction[] = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"];

/** The SECCOMP_FILTER_FLAG_* bits for seccomp(2). Where the config has no flags runc and crun set this one. */
export const filterFlags = ({ flags = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"] }: Seccomp): number =>
  flags.reduce((bits, flag) => bits | FLAGS[flag], 0);

/**
 * Compiles `linux.seccomp`, which must have been validated, for a machine. Decisions are those of libseccomp called as
 * runc and crun call it. But, as with runc, system calls with numbers beyond all that the profile names fail with
 * ENOSYS unless the default action is lenient: so programs learn that they have to do without.
 *
 * Returns the array of struct sock_filter for seccomp(2). Throws Failure.
 */
export function compileSeccomp(seccomp: Seccomp, arch: Arch): Uint8Array {
  const filter = compileFilter(seccomp, arch);
  const length = filter.length / INSTRUCTION;
  if (length > MOST)
    throw new Failure(`linux.seccomp: the filter has ${length} instructions, the kernel takes ${MOST}`);
  return filter;
}

function compileFilter(seccomp: Seccomp, arch: Arch): Uint8Array {
  const { defaultAction, defaultErrnoRet } = seccomp;
  const defaultValue = returnValue(defaultAction, defaultErrnoRet);
  const filter = new Filter();
  const otherwise = filter.end(defaultValue);
  const context: Context = {
    filter,
    rules: rulesOf(seccomp, defaultValue),
    otherwise,
    newer: LENIENT.includes(defaultAction) ? otherwise : filter.end(returnValue("SCMP_ACT_ERRNO", ENOSYS)),
    stranger: filter.end(ACTIONS.SCMP_ACT_KILL),
    decided: { 32: new Map(), 64: new Map() },
  };
  let root = context.stranger;
  for (const [audit, names] of byAudit(seccomp, arch).reverse()) {
    root = filter.test(ARCH, TEST.equal, audit, decideByNumber(context, audit, names), root);
  }
  return filter.assemble(root);
}

interface Context {
  filter: Filter;
  rules: Map<string, readonly Rule[]>;
  /** What decides on system calls that the rules do not, on those newer than the profile, and on other architectures. */
  otherwise: Node;
  newer: Node;
  stranger: Node;
  /** What has been made of rules, by the width of arguments: system calls share rules. */
  decided: Record<32 | 64, Map<readonly Rule[], Node>>;
}

/** The architectures of the filter by audit value, the machine's own first. */
function byAudit({ architectures = [] }: Seccomp, arch: Arch): [audit: number, names: Set<ArchitectureName>][] {
  const groups = new Map([[ARCHITECTURES[NATIVE[arch]].audit, new Set([NATIVE[arch]])]]);
  for (const [i, name] of architectures.entries()) {
    if (!isKnown(name)) {
      const hint = "filters are made of architectures that share their byte order";
      throw new Failure(`linux.seccomp.architectures[${i}]: "${name}" does not go with ${arch}`, { hint });
    }
    const { audit } = ARCHITECTURES[name];
    groups.set(audit, (groups.get(audit) ?? new Set()).add(name));
  }
  return [...groups];
}

const isKnown = (name: string): name is ArchitectureName => name in ARCHITECTURES;

/** The node that decides on the system calls of the architectures of an audit value. */
function decideByNumber(context: Context, audit: number, names: ReadonlySet<ArchitectureName>): Node {
  const { filter, otherwise, stranger } = context;
  const ranges = new Ranges();
  if (audit !== X86_64) {
    for (const name of names) addRanges(context, ranges, name, 0);
  } else {
    if (names.has("SCMP_ARCH_X86_64")) addRanges(context, ranges, "SCMP_ARCH_X86_64", 0);
    else ranges.from(0, stranger);
    if (names.has("SCMP_ARCH_X32")) {
      addRanges(context, ranges, "SCMP_ARCH_X32", FIRST_X32);
    } else {
      ranges.from(FIRST_X32, stranger);
      // The number of a system call that a tracer has the kernel skip: libseccomp does not take it for one of x32.
      ranges.from(ALL, otherwise);
    }
  }
  return ranges.search(filter, NUMBER);
}

/** Adds the system calls of an architecture, whose numbers are not below `start`, in the order of their numbers. */
function addRanges(context: Context, ranges: Ranges, name: ArchitectureName, start: number): void {
  const { filter, rules, otherwise, newer } = context;
  const { bits } = ARCHITECTURES[name];
  const decided = context.decided[bits];
  const words = NUMBERS[name].split(" ");
  let number = start;
  let end = start;
  let last: readonly Rule[] | undefined;
  // By index and without needless calls: the interpreter comes here a thousand times.
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word < ":") {
      number = Number(word);
      continue;
    }
    const found = rules.get(word);
    if (found !== undefined) {
      if (number > end) ranges.from(end, otherwise);
      if (number > end || found !== last) {
        const node = decided.get(found) ?? decideByArguments(filter, found, bits, otherwise);
        decided.set(found, node);
        ranges.from(number, node);
      }
      last = found;
      end = number + 1;
    }
    number++;
  }
  ranges.from(end, end > start ? newer : otherwise);
}
