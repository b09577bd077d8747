import { type Comparison, compare } from "./comparison.js";
import { ALL, type Fact, type Filter, type Node, TEST } from "./filter.js";
import { inOrder } from "./precedence.js";
import type { Condition, Rule } from "./rule.js";

/** The halves of an argument in struct seccomp_data, whose words are little-endian here. */
const low = (argument: number): number => 16 + 8 * argument;
const high = (argument: number): number => 20 + 8 * argument;

/**
 * The node that decides on a system call by its arguments. Both halves of 64-bit arguments are compared; with 32-bit
 * ones only the low half counts. Throws Failure where the rules contradict each other.
 */
export function decideByArguments(filter: Filter, rules: readonly Rule[], bits: 32 | 64, otherwise: Node): Node {
  return inOrder(demands(rules, bits), bits).reduceRight(
    (next, rule) => checkRule(filter, rule, bits, next),
    otherwise,
  );
}

/** The rules without conditions that always hold, as masks do that have no bit. A rule with no other settles the matter. */
function demands(rules: readonly Rule[], bits: 32 | 64): readonly Rule[] {
  const demanding = rules.map((rule) => ({
    ...rule,
    conditions: rule.conditions.filter(({ mask }) => mask.low !== 0 || (bits === 64 && mask.high !== 0)),
  }));
  const settling = demanding.find(({ conditions }) => conditions.length === 0);
  return settling === undefined ? demanding : [settling];
}

/** The node that takes a rule's action if all of its conditions hold, and goes on to `next` if not. */
function checkRule(filter: Filter, { action, conditions }: Rule, bits: 32 | 64, next: Node): Node {
  return conditions.reduceRight((yes, condition, i) => {
    const facts = conditions.slice(0, i).flatMap((earlier) => factsOf(earlier, bits));
    return checkCondition(filter, condition, bits, facts, yes, next);
  }, filter.end(action));
}

/** The words that a condition, where it holds, leaves with one possible value. */
function factsOf({ argument, operator, value }: Condition, bits: 32 | 64): Fact[] {
  if (operator.test !== TEST.equal || operator.negated || operator.masked) return [];
  const facts = [{ word: low(argument), min: value.low, max: value.low }];
  if (bits === 64) facts.push({ word: high(argument), min: value.high, max: value.high });
  return facts;
}

/** The node that goes on according to a condition. A 64-bit comparison is one of the high half, and, if need be, the low. */
function checkCondition(
  filter: Filter,
  { argument, operator: { test, negated }, value, mask }: Condition,
  bits: 32 | 64,
  facts: readonly Fact[],
  holds: Node,
  fails: Node,
): Node {
  const [yes, no] = negated ? [fails, holds] : [holds, fails];
  const lower = { word: low(argument), test, value: value.low, mask: mask.low };
  if (bits === 32) return compareHalf(filter, lower, facts, yes, no);
  const upper = { word: high(argument), test: TEST.equal, value: value.high, mask: mask.high };
  const known = mask.high === ALL ? [...facts, { word: upper.word, min: value.high, max: value.high }] : facts;
  const equal = compareHalf(filter, upper, facts, compareHalf(filter, lower, known, yes, no), no);
  return test === TEST.equal ? equal : compare(filter, { ...upper, test: TEST.greater }, facts, yes, equal);
}

/** The node of a comparison; if some bits are in question it had better leave the accumulator alone. */
function compareHalf(filter: Filter, comparison: Comparison, facts: readonly Fact[], yes: Node, no: Node): Node {
  const { word, value, mask } = comparison;
  if (mask === 0) return yes;
  const bits: Comparison = { word, test: TEST.anyBit, value: mask, mask: ALL };
  if (mask !== ALL && value === 0) return compare(filter, bits, facts, no, yes);
  if (value === mask && (mask & (mask - 1)) === 0) return compare(filter, bits, facts, yes, no);
  return compare(filter, comparison, facts, yes, no);
}
