import { Failure } from "../linux/failure.js";
import { TEST } from "./filter.js";
import type { Condition, Halves, Rule } from "./rule.js";

type Half = keyof Halves;

/** The comparison of half an argument. */
interface Step {
  condition: Condition;
  half: Half;
}

/** What rules share that begin with the same comparisons. */
interface Branch {
  /** The last one of these. */
  step?: Step;
  /** Rules without further ones. */
  rules: Rule[];
  branches: Branch[];
}

/**
 * The rules of a system call in the order in which they are tried, for the first that matches counts. It matters where
 * they have different actions, and is libseccomp's then, which puts them into a tree by their comparisons: arguments
 * from first to last, of each the high half before the low one. Where rules part, the later argument is tried first,
 * then what is equal, then what is less, then what is greater, and of each kind the narrower one first.
 *
 * Throws Failure where a rule takes back a former one, as libseccomp does (EEXIST).
 */
export function inOrder(rules: readonly Rule[], bits: 32 | 64): readonly Rule[] {
  if (rules.every(({ action }) => action === rules[0]?.action)) return rules;
  const halves: readonly Half[] = bits === 32 ? ["low"] : ["high", "low"];
  refuseContradictions(rules, halves);
  const root: Branch = { rules: [], branches: [] };
  for (const rule of rules) stepsOf(rule, halves).reduce(follow, root).rules.push(rule);
  return flatten(root);
}

/** Refuses a rule with another action than a former one that has its conditions, or these and more. */
function refuseContradictions(rules: readonly Rule[], halves: readonly Half[]): void {
  for (const [i, rule] of rules.entries()) {
    const former = rules.slice(0, i).find(({ action, conditions }) => {
      return (
        action !== rule.action && rule.conditions.every((condition, c) => isSame(condition, conditions[c], halves))
      );
    });
    if (former === undefined) continue;
    throw new Failure(`linux.seccomp.syscalls[${rule.entry}]: contradicts linux.seccomp.syscalls[${former.entry}]`, {
      cause: "the same conditions have another action",
    });
  }
}

function isSame(a: Condition, b: Condition | undefined, halves: readonly Half[]): boolean {
  if (b === undefined || a.argument !== b.argument || a.operator !== b.operator) return false;
  return halves.every((half) => a.value[half] === b.value[half] && a.mask[half] === b.mask[half]);
}

const stepsOf = ({ conditions }: Rule, halves: readonly Half[]): Step[] =>
  conditions.flatMap((condition) => halves.map((half) => ({ condition, half })));

/** The branch of the rules that go on with a step; a new one in its place where there is none. */
function follow({ branches }: Branch, step: Step): Branch {
  const at = branches.findIndex((branch) => branch.step !== undefined && compare(step, branch.step) <= 0);
  const found = branches[at];
  if (found?.step !== undefined && compare(step, found.step) === 0) return found;
  const made: Branch = { step, rules: [], branches: [] };
  branches.splice(at < 0 ? branches.length : at, 0, made);
  return made;
}

const flatten = ({ rules, branches }: Branch): Rule[] => [...rules, ...branches.flatMap(flatten)];

/** 0 for the same comparison or its opposite, -1 if the first one is tried before the second, which was there first. */
function compare({ condition: a, half }: Step, { condition: b, half: other }: Step): -1 | 0 | 1 {
  const place = 2 * a.argument + (half === "high" ? 1 : 0);
  const itsPlace = 2 * b.argument + (other === "high" ? 1 : 0);
  if (place !== itsPlace) return place > itsPlace ? -1 : 1;
  const value = a.value[half];
  const itsValue = b.value[half];
  if (kindOf(a, half) === kindOf(b, half) && value === itsValue && a.mask[half] === b.mask[half]) return 0;
  if (a.operator.rank !== b.operator.rank) return a.operator.rank > b.operator.rank ? -1 : 1;
  if (value === itsValue) return 1;
  return value > itsValue === (a.operator.rank !== 2) ? -1 : 1;
}

/** What is asked of half an argument: of the high one bounds only ask whether it is greater. */
function kindOf({ operator: { test, masked } }: Condition, half: Half): string {
  if (test === TEST.equal) return masked ? "masked" : "equal";
  return half === "high" || test === TEST.greater ? "greater" : "at least";
}
