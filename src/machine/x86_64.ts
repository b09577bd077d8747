import { type Assembler, Code } from "./assembler.js";

/**
 * Encodings of the System V system call registers rdi, rsi, rdx, r10, r8, r9: the opcode of `mov r32, imm32` with its
 * REX prefix where there is one, and the ModRM byte that names the register with a rip-relative operand.
 */
const REGISTERS = [
  { rex: 0, low: 7 },
  { rex: 0, low: 6 },
  { rex: 0, low: 2 },
  { rex: 1, low: 2 },
  { rex: 1, low: 0 },
  { rex: 1, low: 1 },
] as const;

/** The x86-64 assembler (Intel SDM volume 2). rax holds the result, ebx the step. */
export class X86Assembler implements Assembler {
  readonly code = new Code();
  /** Places of 32-bit distances, each with the label or the place in the data that it leads to. */
  private readonly toLabels: number[] = [];
  private readonly toData: number[] = [];

  constant(register: number, value: bigint): void {
    const { code } = this;
    const { rex, low } = REGISTERS[register];
    if (value === 0n) {
      // xor r32, r32
      if (rex) code.byte(0x45);
      code.half(0x31 | ((0xc0 | (low << 3) | low) << 8));
    } else if (value > 0n && value <= 0xffffffffn) {
      // mov r32, imm32: the upper half becomes zero
      if (rex) code.byte(0x41);
      code.byte(0xb8 | low);
      code.word(Number(value) | 0);
    } else if (value >= -0x80000000n && value < 0n) {
      // mov r64, simm32
      code.half(0x48 | rex | (0xc7 << 8));
      code.byte(0xc0 | low);
      code.word(Number(value));
    } else {
      // mov r64, imm64
      code.half(0x48 | rex | ((0xb8 | low) << 8));
      code.word(Number(BigInt.asIntN(32, value)));
      code.word(Number(BigInt.asIntN(32, value >> 32n)));
    }
  }

  address(register: number, data: number): void {
    this.ripRelative(0x8d, register, data); // lea
  }

  load(register: number, data: number): void {
    this.ripRelative(0x8b, register, data); // mov r64, m64
  }

  storeArgument(data: number): void {
    this.ripRelative(0x89, 0, data); // mov m64, rdi
  }

  step(index: number): void {
    this.code.byte(0xbb); // mov ebx, imm32
    this.code.word(index);
  }

  syscall(number: number): void {
    this.code.byte(0xb8); // mov eax, imm32
    this.code.word(number);
    this.code.half(0x050f); // syscall
  }

  result(value: number): void {
    this.code.half(0xc748); // mov rax, simm32
    this.code.byte(0xc0);
    this.code.word(value);
  }

  storeResult(data: number): void {
    this.code.half(0x8948); // mov m64, rax
    this.code.byte(0x05);
    this.dataDistance(data);
  }

  jump(label: number): void {
    this.code.byte(0xe9);
    this.labelDistance(label);
  }

  jumpIfError(label: number): void {
    this.compareResult(-4095);
    this.code.half(0x830f); // jae, unsigned
    this.labelDistance(label);
  }

  jumpIfErrno(errno: number, label: number): void {
    this.compareResult(-errno);
    this.code.half(0x840f); // je
    this.labelDistance(label);
  }

  jumpIfZero(label: number): void {
    this.code.half(0x8548); // test rax, rax
    this.code.byte(0xc0);
    this.code.half(0x840f);
    this.labelDistance(label);
  }

  jumpIfMemory(data: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void {
    const { code } = this;
    // movzx eax, m8 / movzx eax, m16 / mov eax, m32
    if (size === 4) code.byte(0x8b);
    else code.half(0x0f | ((size === 1 ? 0xb6 : 0xb7) << 8));
    code.byte(0x05);
    this.dataDistance(data);
    code.byte(0x25); // and eax, imm32
    code.word(mask | 0);
    code.byte(0x3d); // cmp eax, imm32
    code.word(value | 0);
    code.half(0x0f | ((equal ? 0x84 : 0x85) << 8));
    this.labelDistance(label);
  }

  storeFailure(step: number, errno: number): void {
    this.code.half(0xd8f7); // neg eax
    this.code.half(0x0589); // mov m32, eax
    this.dataDistance(errno);
    this.code.half(0x1d89); // mov m32, ebx
    this.dataDistance(step);
  }

  return(): void {
    this.code.byte(0xc3);
  }

  resolve(labels: readonly number[], place: (data: number) => number): void {
    const { code, toLabels, toData } = this;
    for (let i = 0; i < toLabels.length; i += 2) code.patch(toLabels[i], labels[toLabels[i + 1]] - (toLabels[i] + 4));
    for (let i = 0; i < toData.length; i += 2) code.patch(toData[i], place(toData[i + 1]) - (toData[i] + 4));
  }

  private ripRelative(opcode: number, register: number, data: number): void {
    const { rex, low } = REGISTERS[register];
    this.code.half(0x48 | (rex << 2) | (opcode << 8));
    this.code.byte(0x05 | (low << 3));
    this.dataDistance(data);
  }

  private compareResult(value: number): void {
    this.code.half(0x3d48); // cmp rax, simm32
    this.code.word(value);
  }

  private labelDistance(label: number): void {
    this.toLabels.push(this.code.length, label);
    this.code.word(0);
  }

  private dataDistance(data: number): void {
    this.toData.push(this.code.length, data);
    this.code.word(0);
  }
}
