/** A point in a filter from which on a decision is made: a test, or an end. */
export type Node = number;

/** How a 32-bit word is compared with a constant: the jump instruction's code (linux/bpf_common.h). */
export const TEST = { equal: 0x15, greater: 0x25, atLeast: 0x35, anyBit: 0x45 } as const;
export type Test = (typeof TEST)[keyof typeof TEST];

/** What is known of the word at an offset of struct seccomp_data: the least and the greatest value that it can have. */
export interface Fact {
  word: number;
  min: number;
  max: number;
}

/** A word with all bits set: the mask that changes nothing, and the greatest value. */
export const ALL = 0xffffffff;

const LOAD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
const RETURN = 0x06;

/** An instruction in words of 32 bits, and the most that a node takes: two long jumps, test, mask, load. */
const INSTRUCTION = 2;
const MOST = 5 * INSTRUCTION;
/** How far away a test can lead without a long jump, when there may be another such jump in between. */
const REACH = 254 * INSTRUCTION;

// The fields of a node. Where a test leads is an entry of a node: twice the node, or that plus 1 where the accumulator
// holds the node's word already. An end has no word.
const CODE = 0;
const WORD = 1;
const MASK = 2;
const VALUE = 3;
const YES = 4;
const NO = 5;
const FIELDS = 6;
const NO_WORD = ALL;

/**
 * A seccomp filter under construction, in classic BPF. A node is made after those that it leads to. All are kept in one
 * array of integers: to an interpreter objects and calls are dear.
 */
export class Filter {
  #fields = new Uint32Array(FIELDS * 512);
  #count = 0;
  readonly #ends = new Map<number, Node>();

  /** The node that ends with a return value. */
  end(value: number): Node {
    const made = this.#ends.get(value);
    if (made !== undefined) return made;
    const node = this.#make(RETURN, NO_WORD, ALL, value, 0, 0);
    this.#ends.set(value, node);
    return node;
  }

  /** A new node that makes a test. */
  test(word: number, test: Test, value: number, yes: Node, no: Node, mask = ALL): Node {
    return this.#make(test, word, mask, value, yes, no);
  }

  /** The node itself or, as long as facts answer the test that it makes, the one that this leads to. */
  past(from: Node, facts: readonly Fact[]): Node {
    const fields = this.#fields;
    for (let node = from; ; ) {
      const at = node * FIELDS;
      const code = fields[at + CODE];
      const fact = facts.find(({ word }) => word === fields[at + WORD]);
      if (fact === undefined || fields[at + MASK] !== ALL || code === TEST.anyBit) return node;
      const value = fields[at + VALUE] as number;
      const least = code === TEST.greater ? value + 1 : value;
      const most = code === TEST.equal ? value : ALL;
      if (fact.min >= least && fact.max <= most) node = (fields[at + YES] as number) >> 1;
      else if (fact.max < least || fact.min > most) node = (fields[at + NO] as number) >> 1;
      else return node;
    }
  }

  /** The filter that begins at `root`, as an array of struct sock_filter. */
  assemble(root: Node): Uint8Array {
    const fields = this.#fields;
    const used = this.#usedFrom(root);
    // Written from the end, so that it is known where jumps lead. By entry: its place in `words`, and the nearest place
    // from where the filter goes on there.
    const words = new Uint32Array(MOST * (root + 1));
    const places = new Uint32Array(used.length);
    const nearest = new Uint32Array(used.length);
    let at = words.length;
    const approach = (entry: number) => {
      const field = (entry >> 1) * FIELDS;
      const isEnd = fields[field + CODE] === RETURN;
      const skip = ((places[entry] as number) - at) / INSTRUCTION;
      words[--at] = isEnd ? (fields[field + VALUE] as number) : skip;
      words[--at] = isEnd ? RETURN : JUMP;
      nearest[entry] = at;
    };
    for (let node = 0; node <= root; node++) {
      const loading = 2 * node;
      const holding = loading + 1;
      if (!used[loading] && !used[holding]) continue;
      const field = node * FIELDS;
      const code = fields[field + CODE] as number;
      const value = fields[field + VALUE] as number;
      if (code === RETURN) {
        words[--at] = value;
        words[--at] = RETURN;
      } else {
        const yes = fields[field + YES] as number;
        const no = fields[field + NO] as number;
        if ((nearest[yes] as number) - at > REACH) approach(yes);
        if ((nearest[no] as number) - at > REACH) approach(no);
        const skipYes = ((nearest[yes] as number) - at) / INSTRUCTION;
        const skipNo = ((nearest[no] as number) - at) / INSTRUCTION;
        words[--at] = value;
        words[--at] = code | (skipYes << 16) | (skipNo << 24);
        if (fields[field + MASK] !== ALL) {
          words[--at] = fields[field + MASK] as number;
          words[--at] = AND;
        }
        places[holding] = nearest[holding] = at;
        if (used[loading]) {
          words[--at] = fields[field + WORD] as number;
          words[--at] = LOAD;
        }
      }
      places[loading] = nearest[loading] = at;
    }
    return new Uint8Array(words.buffer, words.BYTES_PER_ELEMENT * at);
  }

  /** By entry whether the filter that begins at `root` comes there. */
  #usedFrom(root: Node): Uint8Array {
    const fields = this.#fields;
    const used = new Uint8Array(2 * (root + 1));
    used[2 * root] = 1;
    for (let node = root; node >= 0; node--) {
      const field = node * FIELDS;
      if (fields[field + CODE] === RETURN || (!used[2 * node] && !used[2 * node + 1])) continue;
      used[fields[field + YES] as number] = 1;
      used[fields[field + NO] as number] = 1;
    }
    return used;
  }

  #make(code: number, word: number, mask: number, value: number, yes: Node, no: Node): Node {
    const node = this.#count++;
    const at = node * FIELDS;
    if (at === this.#fields.length) {
      const longer = new Uint32Array(2 * at);
      longer.set(this.#fields);
      this.#fields = longer;
    }
    const fields = this.#fields;
    fields[at + CODE] = code;
    fields[at + WORD] = word;
    fields[at + MASK] = mask;
    fields[at + VALUE] = value;
    const holds = mask === ALL;
    fields[at + YES] = holds && fields[yes * FIELDS + WORD] === word ? 2 * yes + 1 : 2 * yes;
    fields[at + NO] = holds && fields[no * FIELDS + WORD] === word ? 2 * no + 1 : 2 * no;
    return node;
  }
}
