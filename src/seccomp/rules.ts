import type { Seccomp, SeccompAction, SyscallArg } from "../generated/config.js";
import { EPERM } from "../linux/errno.js";
import { MULTIPLEXED } from "./multiplexed.js";
import { type Condition, conditionOf, equals, type Rule } from "./rule.js";
import { ACTIONS, NUMBERED } from "./vocabulary.js";

/**
 * The rules of a profile by system call, up to the first one without conditions, which settles the matter. A system
 * call that is named but has no rule gets the default action.
 */
export function rulesOf({ syscalls = [] }: Seccomp, defaultAction: number): Map<string, readonly Rule[]> {
  const rules = new Map<string, readonly Rule[]>();
  for (const [entry, { names, action, errnoRet, args = [] }] of syscalls.entries()) {
    const value = returnValue(action, errnoRet);
    const isDefault = value === defaultAction;
    const added = isDefault ? [] : alternatives(args).map((conditions) => ({ action: value, conditions, entry }));
    for (const name of names) {
      const before = rules.get(name);
      rules.set(name, before === undefined ? added : merge(before, added));
    }
  }
  for (const [carrier, calls] of Object.entries(MULTIPLEXED)) addCarried(rules, carrier, calls);
  return rules;
}

/** Adds the rules on system calls, by the numbers that they have there, to those on the one that carries them. */
function addCarried(rules: Map<string, readonly Rule[]>, carrier: string, calls: Record<string, number>): void {
  const own = rules.get(carrier) ?? [];
  if (isSettled(own)) return;
  const carried = Object.entries(calls).flatMap(([name, call]) => rules.get(name)?.map(carriedAs(call)) ?? []);
  if (carried.length > 0) rules.set(carrier, [...own, ...carried]);
}

/** What a filter returns for an action and the number that may come with it, which is EPERM where there is none. */
export const returnValue = (action: SeccompAction, number = EPERM): number =>
  NUMBERED.includes(action) ? ACTIONS[action] + number : ACTIONS[action];

/** The sets of conditions any of which suffices: one with all, or, where an argument comes twice, each by itself. */
function alternatives(args: readonly SyscallArg[]): Condition[][] {
  const conditions = args.map(conditionOf);
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  const sets = repeated ? conditions.map((condition) => [condition]) : [conditions];
  return sets.map((set) => set.sort((a, b) => a.argument - b.argument));
}

/** Rules and those that come after them, if any can matter: not after one without conditions. */
function merge(rules: readonly Rule[], added: readonly Rule[]): readonly Rule[] {
  return isSettled(rules) ? rules : [...rules, ...added];
}

const isSettled = (rules: readonly Rule[]): boolean => rules.at(-1)?.conditions.length === 0;

/** A rule as it applies where the first argument says which system call is meant. Others are compared as they are. */
const carriedAs =
  (call: number) =>
  (rule: Rule): Rule => ({
    ...rule,
    conditions: [equals(0, call), ...rule.conditions.filter(({ argument }) => argument !== 0)],
  });
