import { viewOf } from "../linux/bytes.js";

/**
 * What `assemble` asks of a machine: one method an instruction (or a few), each writing code at the current place.
 * `register` 0 to 5 are the registers of a system call's arguments. A `Reference` is an address that is known later.
 */
export interface Assembler {
  readonly code: Code;
  /** Puts a constant into an argument register. */
  constant(register: number, value: bigint): void;
  /** Puts the address of data into an argument register. */
  address(register: number, data: number): void;
  /** Puts the 64-bit word at a place in the data into an argument register. */
  load(register: number, data: number): void;
  /** Stores the first argument register's word. */
  storeArgument(data: number): void;
  /** Remembers the step's index in a register that system calls leave alone. */
  step(index: number): void;
  syscall(number: number): void;
  /** Sets the result register to a constant, instead of a system call. */
  result(value: number): void;
  /** Stores the system call's result. */
  storeResult(data: number): void;
  jump(label: number): void;
  /** Jumps if the result is a negated errno, any. */
  jumpIfError(label: number): void;
  /** Jumps if the result is this negated errno. */
  jumpIfErrno(errno: number, label: number): void;
  jumpIfZero(label: number): void;
  /** Compares the unsigned number of `size` bytes in the data, masked, and jumps. */
  jumpIfMemory(data: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void;
  /** Stores the remembered step and the result's errno, as 32 bits each, at these places in the data. */
  storeFailure(step: number, errno: number): void;
  /** Returns the last result to the caller of the code. */
  return(): void;
  /** Writes the distances that were left open: to labels' places, and to data's, both relative to the code's start. */
  resolve(labels: readonly number[], place: (data: number) => number): void;
}

/** Code being written: grows by itself. */
export class Code {
  private bytes = new Uint8Array(16384);
  private view = viewOf(this.bytes);
  length = 0;

  byte(value: number): void {
    if (this.length + 16 > this.bytes.length) this.grow();
    this.bytes[this.length++] = value;
  }

  /** Two bytes, the first in the low half. */
  half(value: number): void {
    if (this.length + 16 > this.bytes.length) this.grow();
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  word(value: number): void {
    if (this.length + 16 > this.bytes.length) this.grow();
    this.view.setInt32(this.length, value, true);
    this.length += 4;
  }

  at(place: number): number {
    return this.view.getInt32(place, true);
  }

  patch(place: number, value: number): void {
    this.view.setInt32(place, value, true);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = viewOf(larger);
  }
}
