import { type Assembler, Code } from "./assembler.js";

// Instructions on the registers of a system call's arguments: rdi, rsi, rdx, r10, r8, r9. Each up to its immediate or
// distance, first byte lowest, as Intel's manual (SDM volume 2) encodes it.
const XOR = [0xff31, 0xf631, 0xd231, 0xd23145, 0xc03145, 0xc93145]; // xor r32, r32
const MOV_32 = [0xbf, 0xbe, 0xba, 0xba41, 0xb841, 0xb941]; // mov r32, imm32: the upper half becomes zero
const MOV_SIGNED = [0xc7c748, 0xc6c748, 0xc2c748, 0xc2c749, 0xc0c749, 0xc1c749]; // mov r64, simm32
const MOV_64 = [0xbf48, 0xbe48, 0xba48, 0xba49, 0xb849, 0xb949]; // mov r64, imm64
const LEA = [0x3d8d48, 0x358d48, 0x158d48, 0x158d4c, 0x058d4c, 0x0d8d4c]; // lea r64, [rip + distance]
const LOAD = [0x3d8b48, 0x358b48, 0x158b48, 0x158b4c, 0x058b4c, 0x0d8b4c]; // mov r64, [rip + distance]

/** From this register on, the shortest forms take one more byte: a prefix. */
const PREFIXED = 3;

/** The x86-64 assembler. rax holds the result, ebx the step. */
export class X86Assembler extends Code implements Assembler {
  /** Pairs: the place of a 32-bit distance, and the label or the place in the data that it leads to. */
  private readonly toLabels: number[] = [];
  private readonly toData: number[] = [];

  constant(register: number, value: number | bigint): void {
    const { view, length: at } = this;
    if (value === 0) {
      view.setInt32(at, XOR[register], true);
      this.length = at + (register < PREFIXED ? 2 : 3);
    } else if (value >= 0 && value <= 0xffffffff) {
      const immediate = at + (register < PREFIXED ? 1 : 2);
      view.setInt32(at, MOV_32[register], true);
      view.setInt32(immediate, Number(value), true);
      this.length = immediate + 4;
    } else if (value >= -0x80000000 && value < 0) {
      view.setInt32(at, MOV_SIGNED[register], true);
      view.setInt32(at + 3, Number(value), true);
      this.length = at + 7;
    } else {
      view.setInt32(at, MOV_64[register], true);
      view.setBigInt64(at + 2, BigInt(value), true);
      this.length = at + 10;
    }
  }

  address(register: number, data: number): void {
    const at = this.length;
    this.view.setInt32(at, LEA[register], true);
    this.toData.push(at + 3, data);
    this.length = at + 7;
  }

  load(register: number, data: number): void {
    const at = this.length;
    this.view.setInt32(at, LOAD[register], true);
    this.toData.push(at + 3, data);
    this.length = at + 7;
  }

  storeArgument(data: number): void {
    this.emit(0x3d8948, 3); // mov [rip + distance], rdi
    this.dataDistance(data);
  }

  step(number: number): void {
    const { view, length: at } = this;
    view.setUint8(at, 0xbb); // mov ebx, imm32
    view.setInt32(at + 1, number, true);
    this.length = at + 5;
  }

  syscall(number: number): void {
    const { view, length: at } = this;
    view.setUint8(at, 0xb8); // mov eax, imm32
    view.setInt32(at + 1, number, true);
    view.setUint16(at + 5, 0x050f, true);
    this.length = at + 7;
  }

  result(value: number): void {
    this.emit(0xc0c748, 3); // mov rax, simm32
    this.emit(value);
  }

  storeResult(data: number): void {
    this.emit(0x058948, 3); // mov [rip + distance], rax
    this.dataDistance(data);
  }

  jump(label: number): void {
    this.emit(0xe9, 1);
    this.labelDistance(label);
  }

  jumpIfError(label: number): void {
    this.compareResult(-4095);
    this.emit(0x830f, 2); // jae, unsigned
    this.labelDistance(label);
  }

  jumpIfErrno(errno: number, label: number): void {
    this.compareResult(-errno);
    this.emit(0x840f, 2); // je
    this.labelDistance(label);
  }

  jumpIfZero(label: number): void {
    this.emit(0xc08548, 3); // test rax, rax
    this.emit(0x840f, 2);
    this.labelDistance(label);
  }

  jumpIfMemory(data: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void {
    // mov eax, m32; movzx eax, m16; movzx eax, m8
    if (size === 4) this.emit(0x058b, 2);
    else this.emit(size === 2 ? 0x05b70f : 0x05b60f, 3);
    this.dataDistance(data);
    this.emit(0x25, 1); // and eax, imm32
    this.emit(mask);
    this.emit(0x3d, 1); // cmp eax, imm32
    this.emit(value);
    this.emit(equal ? 0x840f : 0x850f, 2);
    this.labelDistance(label);
  }

  storeFailure(step: number, errno: number): void {
    this.emit(0xd8f7, 2); // neg eax
    this.emit(0x0589, 2); // mov [rip + distance], eax
    this.dataDistance(errno);
    this.emit(0x1d89, 2); // mov [rip + distance], ebx
    this.dataDistance(step);
  }

  return(): void {
    this.emit(0xc3, 1);
  }

  resolve(labels: readonly number[], place: (data: number) => number): void {
    const { view, toLabels, toData } = this;
    for (let i = 0; i < toLabels.length; i += 2)
      view.setInt32(toLabels[i], labels[toLabels[i + 1]] - toLabels[i] - 4, true);
    for (let i = 0; i < toData.length; i += 2) view.setInt32(toData[i], place(toData[i + 1]) - toData[i] - 4, true);
  }

  private compareResult(value: number): void {
    this.emit(0x3d48, 2); // cmp rax, simm32
    this.emit(value);
  }

  private labelDistance(label: number): void {
    this.toLabels.push(this.length, label);
    this.length += 4;
  }

  private dataDistance(data: number): void {
    this.toData.push(this.length, data);
    this.length += 4;
  }
}
