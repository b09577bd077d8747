import { type Assembler, Code, type Memory } from "./assembler.js";
import type { Value } from "./program.js";

// Instructions as Intel's manual (SDM volume 2) encodes them, first byte lowest, each brought to a multiple of four
// bytes by a `nop` in front (90, 66 90 or 0f 1f 00) so that its immediate or distance is a word of its own. Words are
// signed: to an engine these are integers, what is larger is not. The tables go by the registers of a system call's
// arguments: rdi, rsi, rdx, r10, r8, r9.
const MOV_32 = Int32Array.of(0xbf001f0f, 0xbe001f0f, 0xba001f0f, 0xba419066, 0xb8419066, 0xb9419066); // mov r32, imm32
const MOV_SIGNED = Int32Array.of(0xc7c74890, 0xc6c74890, 0xc2c74890, 0xc2c74990, 0xc0c74990, 0xc1c74990); // mov r64, simm32
const MOV_64 = Int32Array.of(0xbf489066, 0xbe489066, 0xba489066, 0xba499066, 0xb8499066, 0xb9499066); // mov r64, imm64
const LOAD = Int32Array.of(0x253c8b48, 0x25348b48, 0x25148b48, 0x25148b4c, 0x25048b4c, 0x250c8b4c); // mov r64, [address]

const STORE_RDI = 0x253c8948; // mov [address], rdi
const STORE_RAX = 0x25048948; // mov [address], rax
const STORE_EAX = 0x25048990; // mov [address], eax
const STORE_EBX = 0x251c8990; // mov [address], ebx
const ADD_EBX = 0xc3819066 | 0; // add ebx, imm32
const MOV_EBX = 0xbb001f0f | 0; // mov ebx, imm32
const MOV_EAX = 0xb8001f0f | 0; // mov eax, imm32
const MOV_RAX = 0xc0c74890 | 0; // mov rax, simm32
const SYSCALL = 0x9090050f | 0;
const SYSCALL_CMP_RAX = 0x3d48050f; // syscall; cmp rax, simm32
const CMP_RAX = 0x3d489066; // cmp rax, simm32
const TEST_RAX = 0x90c08548 | 0; // test rax, rax
const NEG_EAX = 0x9090d8f7 | 0;
const AND_EAX = 0x25001f0f; // and eax, imm32
const CMP_EAX = 0x3d001f0f; // cmp eax, imm32
const LOAD_EAX = { 1: 0x2504b60f, 2: 0x2504b70f, 4: 0x25048b90 }; // movzx or mov eax, [address]
const JMP_SHORT = 0x909000eb | 0; // the distance, of 8 bits, is the second byte
const JMP = 0xe9001f0f | 0;
const JAE = 0x830f9066 | 0; // unsigned
const JE = 0x840f9066 | 0;
const JNE = 0x850f9066 | 0;
const RET = 0xc3;
const UD2 = 0x0b0f;

/** The lowest result that is a negated errno. */
const LOWEST_ERROR = -4095;

/** How many words a part's beginning takes. */
const BEGINNING = 5;

/** The x86-64 assembler. rax holds the result, ebx the step. Addresses must lie below 2 GiB. */
export class X86Assembler extends Code implements Assembler {
  readonly farthest = 0x7fffffff;
  /** Where the current part reports a failure. */
  private failure = 0;
  /** Pairs: the index of the word that holds a distance, and the label that it leads to. */
  private toLabels: number[] = [];

  begin(before: number): number {
    const { words, length: at } = this;
    words[at] = JMP_SHORT | ((BEGINNING * 4 - 2) << 8);
    words[at + 1] = ADD_EBX;
    words[at + 3] = JMP;
    this.adjust(before);
    this.length = at + BEGINNING;
    this.failure = at + 1;
    return this.failure;
  }

  protected override adjust(before: number): void {
    this.words[this.length + 2] = before;
    this.words[this.length + 4] = (this.length + 5) * -4;
  }

  operands(values: readonly Value[], memory: Memory): void {
    const { words } = this;
    let at = this.length;
    for (let i = 0; i < values.length; i++) {
      let value = values[i];
      if (typeof value === "object") {
        value = memory.operand(value);
        if (memory.loaded) {
          words[at] = LOAD[i];
          words[at + 1] = value;
          at += 2;
          continue;
        }
      }
      if (typeof value === "number" && value >= 0 && value <= 0xffffffff) {
        words[at] = MOV_32[i]; // the upper half becomes zero
        words[at + 1] = value;
        at += 2;
      } else at = this.large(at, i, value);
    }
    this.length = at;
  }

  syscall(number: number): void {
    const { words, length: at } = this;
    words[at] = MOV_EAX;
    words[at + 1] = number;
    words[at + 2] = SYSCALL;
    this.length = at + 3;
  }

  checkedSyscall(number: number, step: number): void {
    const { words, length: at } = this;
    words[at] = MOV_EBX;
    words[at + 1] = step;
    words[at + 2] = MOV_EAX;
    words[at + 3] = number;
    words[at + 4] = SYSCALL_CMP_RAX;
    words[at + 5] = LOWEST_ERROR;
    words[at + 6] = JAE;
    words[at + 7] = (this.failure - at - 8) * 4;
    this.length = at + 8;
  }

  storeOperand(address: number): void {
    this.put(STORE_RDI, address);
  }

  storeArgument(address: number): void {
    this.put(STORE_RDI, address);
  }

  step(number: number): void {
    this.put(MOV_EBX, number);
  }

  result(value: number): void {
    this.put(MOV_RAX, value);
  }

  storeResult(address: number): void {
    this.put(STORE_RAX, address);
  }

  jump(label: number): void {
    this.lead(JMP, label);
  }

  jumpIfError(label: number): void {
    this.put(CMP_RAX, LOWEST_ERROR);
    this.lead(JAE, label);
  }

  jumpIfErrno(errno: number, label: number): void {
    const { words, length: at } = this;
    words[at] = CMP_RAX;
    words[at + 1] = -errno;
    words[at + 2] = JE;
    this.toLabels.push(at + 3, label);
    this.length = at + 4;
  }

  jumpIfZero(label: number): void {
    this.words[this.length++] = TEST_RAX;
    this.lead(JE, label);
  }

  jumpIfMemory(address: number, size: 1 | 2 | 4, mask: number, value: number, equal: boolean, label: number): void {
    this.put(LOAD_EAX[size], address);
    this.put(AND_EAX, mask);
    this.put(CMP_EAX, value);
    this.lead(equal ? JE : JNE, label);
  }

  storeFailure(step: number, errno: number): void {
    this.words[this.length++] = NEG_EAX;
    this.put(STORE_EAX, errno);
    this.put(STORE_EBX, step);
  }

  trap(): void {
    this.words[this.length++] = UD2;
  }

  return(): void {
    this.words[this.length++] = RET;
  }

  resolve(labels: Int32Array): void {
    const { words, toLabels } = this;
    for (let i = 0; i < toLabels.length; i += 2) words[toLabels[i]] = (labels[toLabels[i + 1]] - toLabels[i] - 1) * 4;
    this.toLabels = [];
  }

  /** A constant that may be negative, of 64 bits or a bigint. Returns where the code goes on. */
  private large(at: number, register: number, value: number | bigint): number {
    const { words } = this;
    if (value >= -0x80000000 && value < 0x80000000) {
      words[at] = MOV_SIGNED[register];
      words[at + 1] = Number(value);
      return at + 2;
    }
    const bits = BigInt(value);
    words[at] = MOV_64[register];
    words[at + 1] = Number(BigInt.asIntN(32, bits));
    words[at + 2] = Number(BigInt.asIntN(32, bits >> 32n));
    return at + 3;
  }

  /** An instruction with its immediate. */
  private put(instruction: number, immediate: number): void {
    this.words[this.length] = instruction;
    this.words[this.length + 1] = immediate;
    this.length += 2;
  }

  /** An instruction with the distance to a label. */
  private lead(instruction: number, label: number): void {
    this.toLabels.push(this.length + 1, label);
    this.put(instruction, 0);
  }
}
