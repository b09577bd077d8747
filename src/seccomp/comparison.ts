import { ALL, type Fact, type Filter, type Node, TEST, type Test } from "./filter.js";

/** A test of the masked word at an offset of struct seccomp_data. */
export interface Comparison {
  word: number;
  test: Test;
  value: number;
  mask: number;
}

/**
 * The node of a comparison where some facts are known. With them and its own outcome it goes past tests further down
 * that they answer; if nothing depends on it there is none.
 */
export function compare(filter: Filter, comparison: Comparison, facts: readonly Fact[], yes: Node, no: Node): Node {
  const { word, test, value, mask } = comparison;
  const [holds, fails] = outcomes(comparison);
  if (holds.min > holds.max) return no;
  if (fails.min > fails.max) return yes;
  const then = filter.past(yes, [holds, ...facts]);
  const otherwise = filter.past(no, [fails, ...facts]);
  return then === otherwise ? then : filter.test(word, test, value, then, otherwise, mask);
}

/** What is known of a word when a comparison holds, and when it does not. */
function outcomes({ word, test, value, mask }: Comparison): [holds: Fact, fails: Fact] {
  const fact = (min: number, max: number): Fact => ({ word, min, max });
  if (test === TEST.greater) return [fact(value + 1, ALL), fact(0, value)];
  if (test === TEST.atLeast) return [fact(value, ALL), fact(0, value - 1)];
  if (test === TEST.anyBit || mask !== ALL) return [fact(0, ALL), fact(0, ALL)];
  return [fact(value, value), fact(value === 0 ? 1 : 0, value === ALL ? ALL - 1 : ALL)];
}
