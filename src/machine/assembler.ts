import { viewOf } from "../linux/bytes.js";

/**
 * What `assemble` asks of a machine: one method an instruction (or a few), each writing code at the current place.
 * `register` 0 to 5 are the registers of a system call's arguments. Places in the data are offsets into it.
 */
export interface Assembler extends Code {
  /** Puts a constant into an argument register. */
  constant(register: number, value: number | bigint): void;
  /** Puts the address of data into an argument register. */
  address(register: number, data: number): void;
  /** Puts the 64-bit word at a place in the data into an argument register. */
  load(register: number, data: number): void;
  /** Stores the first argument register's word. */
  storeArgument(data: number): void;
  /** Remembers the step's number in a register that system calls leave alone. */
  step(number: number): void;
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

/**
 * Code being written. Assemblers write straight to `view` and move `length`: in an interpreted engine each call that is
 * spared there counts, some thousand times a container.
 */
export class Code {
  view: DataView = new DataView(new ArrayBuffer(32768));
  length = 0;

  /** Makes room for a step's instructions, at most so many bytes. */
  reserve(size: number): void {
    if (this.length + size <= this.view.byteLength) return;
    const larger = new Uint8Array(this.view.byteLength * 2);
    larger.set(this.finish());
    this.view = viewOf(larger);
  }

  /** Writes an instruction of 32 bits, or the first `size` bytes of one. */
  emit(instruction: number, size = 4): void {
    this.view.setInt32(this.length, instruction, true);
    this.length += size;
  }

  finish(): Uint8Array {
    return new Uint8Array(this.view.buffer, 0, this.length);
  }
}
