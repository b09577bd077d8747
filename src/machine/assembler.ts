import type { Value } from "./program.js";

/** Where values lie that are not numbers. */
export interface Memory {
  /** What a value comes to: a constant, an address; or, if `loaded` is true then, the address of what it comes to. */
  operand(value: Exclude<Value, number | bigint>): number;
  readonly loaded: boolean;
}

/**
 * What `assemble` asks of a machine: one method an instruction (or a few), each writing code at the current place. Data
 * is named by its address. Code is written part by part, behind the report of failures, which is at the very start.
 */
export interface Assembler extends Code {
  /** The most bytes of code that the branches within a part reach over. */
  readonly farthest: number;
  /**
   * Begins a part. Returns where it reports a failure, as an index of a word: from there the code adds the number of
   * steps before the part to the remembered step, and goes on at the code's start.
   */
  begin(before: number): number;
  /** Puts values into the registers of a system call's arguments. */
  operands(values: readonly Value[], memory: Memory): void;
  /** Makes a system call by number. */
  syscall(number: number): void;
  /**
   * Makes a system call by number, with the step's number in a register that system calls leave alone, and jumps to the
   * part's report of a failure if the result is a negated errno.
   */
  checkedSyscall(number: number, step: number): void;
  /** Stores in memory the first of the operands that were put into registers last. */
  storeOperand(address: number): void;
  /** Stores in memory the first argument that the code was called with. */
  storeArgument(address: number): void;
  /** Remembers a step's number. */
  step(number: number): void;
  /** Sets the result to a constant, instead of a system call. */
  result(value: number): void;
  /** Stores the result. */
  storeResult(address: number): void;
  jump(label: number): void;
  /** Jumps if the result is a negated errno, any. */
  jumpIfError(label: number): void;
  /** Jumps if the result is this negated errno. */
  jumpIfErrno(errno: number, label: number): void;
  jumpIfZero(label: number): void;
  /** Compares the unsigned number of `size` bytes at an address, masked, and jumps. */
  jumpIfMemory(address: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void;
  /** Stores the remembered step and the result's errno, as 32 bits each, at these addresses. */
  storeFailure(step: number, errno: number): void;
  /** Ends the process by a signal: where a filter forbids even exit_group(2), nothing else may follow. */
  trap(): void;
  /** Returns the last result to the caller of the code. */
  return(): void;
  /** Writes the distances that a part left open, now that its labels' places (indices of words) are known. */
  resolve(labels: Int32Array): void;
}

/** More words than the code of any step takes. */
const LARGEST_STEP = 256;

/**
 * Code being written, in 32-bit words. Storing elements of a typed array is the cheapest that an interpreted engine can
 * do, and each call that is spared counts: the work is done some thousand times a container.
 */
export abstract class Code {
  words = new Int32Array(1024);
  /** How many words are written. */
  length = 0;
  /** Up to this length there is room for a step's instructions without growing. */
  private enough = this.words.length - LARGEST_STEP;

  /** Makes room for a step's instructions, or for so many words. */
  reserve(count = 0): void {
    if (this.length + count <= this.enough) return;
    const larger = new Int32Array(2 * this.words.length + count);
    larger.set(this.words);
    this.words = larger;
    this.enough = larger.length - LARGEST_STEP;
  }

  /** Inserts the words of a part that was written before, elsewhere; so many steps are before it. */
  insert(words: Int32Array, before: number): void {
    this.reserve(words.length);
    this.words.set(words, this.length);
    this.adjust(before);
    this.length += words.length;
  }

  /** Writes what of the beginning of a part that is at the current place depends on that. */
  protected abstract adjust(before: number): void;

  finish(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, this.length * 4);
  }
}
