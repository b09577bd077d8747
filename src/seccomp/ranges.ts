import { type Filter, type Node, TEST } from "./filter.js";

/** A function on the values of a 32-bit word, as ranges: from each of the ascending starts on, which node decides. */
export class Ranges {
  /** Start and node of each. */
  readonly #ranges: number[] = [];
  #last: Node | undefined;

  /** From `start` on, which is greater than those given so far, `node` decides. */
  from(start: number, node: Node): void {
    if (node === this.#last) return;
    this.#last = node;
    this.#ranges.push(start, node);
  }

  /** The root of a balanced tree of tests that finds the range of a word. */
  search(filter: Filter, word: number): Node {
    const ranges = this.#ranges;
    const start = (range: number) => ranges[2 * range] as number;
    const node = (range: number) => ranges[2 * range + 1] as number;
    const find = (first: number, end: number): Node => {
      const count = end - first;
      if (count === 1) return node(first);
      const isSingle = count === 3 && node(first) === node(first + 2) && start(first + 1) + 1 === start(first + 2);
      if (isSingle) return filter.test(word, TEST.equal, start(first + 1), node(first + 1), node(first));
      const middle = (first + end) >> 1;
      const below = find(first, middle);
      return filter.test(word, TEST.atLeast, start(middle), find(middle, end), below);
    };
    return find(0, ranges.length / 2);
  }
}
