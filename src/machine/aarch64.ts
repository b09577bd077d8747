import { type Assembler, Code, type Memory } from "./assembler.js";
import type { Value } from "./program.js";

/** How a distance is written into an instruction: the kind tells which bits take it. */
type Kind = "branch" | "conditional";

/** x9 and x10 are scratch; x19, which system calls keep, holds the step. */
const [SCRATCH, OTHER, STEP, NUMBER] = [9, 10, 19, 8];
/** Condition codes. */
const [EQ, NE, HS] = [0, 1, 2];

/** The aarch64 assembler (Arm ARM, C6.2). x0 holds the result and the first argument, w19 the step. */
export class Aarch64Assembler extends Code implements Assembler {
  readonly farthest = 0x100000;
  /** Where the current part reports a failure. */
  private failure = 0;
  private toLabels: [at: number, kind: Kind, label: number][] = [];

  begin(before: number): number {
    this.words[this.length] = 0x14000004; // b past this
    this.adjust(before);
    this.failure = this.length + 1;
    this.length += 4;
    return this.failure;
  }

  protected override adjust(before: number): void {
    const { words, length: at } = this;
    words[at + 1] = 0x11000000 | ((before & 0xfff) << 10) | (STEP << 5) | STEP; // add w19, w19, #low
    words[at + 2] = 0x11400000 | ((before >> 12) << 10) | (STEP << 5) | STEP; // add w19, w19, #high, lsl #12
    words[at + 3] = 0x14000000 | (-(at + 3) & 0x3ffffff); // b to the code's start
  }

  operands(values: readonly Value[], memory: Memory): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value !== "object") this.move(i, value);
      else {
        const operand = memory.operand(value);
        if (memory.loaded) {
          this.move(SCRATCH, operand);
          this.emit(0xf9400000 | (SCRATCH << 5) | i); // ldr xR, [x9]
        } else this.move(i, operand);
      }
    }
  }

  syscall(number: number): void {
    this.move(NUMBER, number);
    this.emit(0xd4000001); // svc #0
  }

  checkedSyscall(number: number, step: number): void {
    this.step(step);
    this.syscall(number);
    this.compareNegated(4095);
    this.emit(0x54000000 | (((this.failure - this.length) & 0x7ffff) << 5) | HS); // b.hs
  }

  storeOperand(address: number): void {
    this.storeResult(address);
  }

  storeArgument(address: number): void {
    this.storeResult(address);
  }

  step(number: number): void {
    this.move(STEP, number);
  }

  result(value: number): void {
    this.move(0, value);
  }

  storeResult(address: number): void {
    this.move(SCRATCH, address);
    this.emit(0xf9000000 | (SCRATCH << 5)); // str x0, [x9]
  }

  jump(label: number): void {
    this.toLabels.push([this.length, "branch", label]);
    this.emit(0x14000000); // b
  }

  jumpIfError(label: number): void {
    this.compareNegated(4095);
    this.branch(HS, label);
  }

  jumpIfErrno(errno: number, label: number): void {
    this.compareNegated(errno);
    this.branch(EQ, label);
  }

  jumpIfZero(label: number): void {
    this.toLabels.push([this.length, "conditional", label]);
    this.emit(0xb4000000); // cbz x0
  }

  jumpIfMemory(address: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void {
    this.move(SCRATCH, address);
    const load = { 1: 0x39400000, 2: 0x79400000, 4: 0xb9400000 }[size];
    this.emit(load | (SCRATCH << 5) | OTHER); // ldrb, ldrh or ldr w10, [x9]
    this.move(SCRATCH, mask >>> 0);
    this.emit(0x0a000000 | (SCRATCH << 16) | (OTHER << 5) | OTHER); // and w10, w10, w9
    this.move(SCRATCH, value >>> 0);
    this.emit(0x6b00001f | (SCRATCH << 16) | (OTHER << 5)); // cmp w10, w9
    this.branch(equal ? EQ : NE, label);
  }

  storeFailure(step: number, errno: number): void {
    this.emit(0x4b0003e0); // neg w0, w0
    this.move(SCRATCH, errno);
    this.emit(0xb9000000 | (SCRATCH << 5)); // str w0, [x9]
    this.move(SCRATCH, step);
    this.emit(0xb9000000 | (SCRATCH << 5) | STEP); // str w19, [x9]
  }

  trap(): void {
    this.emit(0); // udf #0
  }

  return(): void {
    this.emit(0xd65f03c0);
  }

  resolve(labels: Int32Array): void {
    const { words } = this;
    for (const [at, kind, label] of this.toLabels) {
      const distance = labels[label] - at;
      words[at] |= kind === "branch" ? distance & 0x3ffffff : (distance & 0x7ffff) << 5;
    }
    this.toLabels = [];
  }

  /** movz or movn, then movk for each half-word that still differs. */
  private move(register: number, value: number | bigint): void {
    const bits = BigInt.asUintN(64, BigInt(value));
    const halves = [0, 1, 2, 3].map((i) => Number((bits >> BigInt(16 * i)) & 0xffffn));
    const ones = halves.filter((half) => half === 0xffff).length > 2;
    const rest = ones ? 0xffff : 0;
    let first = true;
    for (let i = 0; i < 4; i++) {
      const last = first && i === 3;
      if (halves[i] === rest && !last) continue;
      const shift = i << 21;
      if (first && ones) this.emit(0x92800000 | shift | ((halves[i] ^ 0xffff) << 5) | register);
      else this.emit((first ? 0xd2800000 : 0xf2800000) | shift | (halves[i] << 5) | register);
      first = false;
    }
  }

  /** cmn x0, #value: equal if the result is its negation, and not below if it lies between that and -1. */
  private compareNegated(value: number): void {
    this.emit(0xb100001f | (value << 10));
  }

  private branch(condition: number, label: number): void {
    this.toLabels.push([this.length, "conditional", label]);
    this.emit(0x54000000 | condition);
  }

  private emit(instruction: number): void {
    this.words[this.length++] = instruction;
  }
}
