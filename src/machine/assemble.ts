import { ffi } from "../ffi/driver.js";
import type { Arch } from "../ffi/ffi.js";
import { viewOf } from "../linux/bytes.js";
import { type ConstantName, constants } from "../linux/constants.js";
import { errnoNumber } from "../linux/errno.js";
import { SYSCALLS } from "../linux/syscalls.js";
import { Aarch64Assembler } from "./aarch64.js";
import type { Assembler } from "./assembler.js";
import { type Call, type Field, type Program, REPORT_SIZE, type Step, type Target, type Value } from "./program.js";
import { X86Assembler } from "./x86_64.js";

/** Machine code and the data it works on. Code reaches data by distance, so both must keep theirs. */
export interface Assembled {
  readonly code: Uint8Array;
  /** Data with its initial content, and the bytes of zeroed memory that follow it. */
  readonly data: Uint8Array;
  readonly zeroed: number;
}

/** Where assembled code goes, which decides the distance from code to data and what absolute addresses mean. */
export interface Placement {
  /** The address of the data if the code is so many bytes long. */
  dataAddress(codeLength: number): number;
  codeAddress: number;
  /** What the code does at its end: "exit" as a process, "return" its last result to a caller. */
  ending: "exit" | "return";
}

/** Zeroed memory's offsets start here, until it is known how long the data before it is. */
const ZEROED = 0x1000000;

/**
 * Turns a program into machine code.
 *
 * @param inputs slots that hold something from the start, by name
 * @param first the number by which the first step reports a failure
 */
export function assemble(
  program: Program,
  arch: Arch,
  placement: Placement,
  inputs: Readonly<Record<string, number>>,
  first: number,
): Assembled {
  const data = new Data(program, arch, inputs);
  const asm: Assembler = arch === "x86_64" ? new X86Assembler() : new Aarch64Assembler();
  const { steps } = program;
  // Labels are the steps' own indices, then the end, then the failure's report.
  const end = steps.length;
  const failure = end + 1;
  const places: number[] = [];
  const column = arch === "x86_64" ? 0 : 1;

  for (let index = 0; index < end; index++) {
    places.push(asm.length);
    emitStep(asm, data, steps[index], index, { failure, first, column });
  }
  places.push(asm.length);
  if (placement.ending === "return") asm.return();
  else emitExit(asm, 0, column);
  places.push(asm.length);
  emitFailure(asm, data, program, column);

  const code = asm.finish();
  const dataAddress = placement.dataAddress(code.length);
  const initial = data.finish(dataAddress);
  const place = (offset: number) => (offset < ZEROED ? offset : initial.length + offset - ZEROED);
  asm.resolve(places, (offset) => dataAddress - placement.codeAddress + place(offset));
  return { code, data: initial, zeroed: data.zeroed };
}

/** What all steps' code has in common: the failure's label, the first step's number, the architecture's column. */
interface Common {
  readonly failure: number;
  readonly first: number;
  readonly column: 0 | 1;
}

/** More than the code of any step takes. */
const LARGEST_STEP = 1024;

function emitStep(asm: Assembler, data: Data, step: Step, index: number, common: Common): void {
  asm.reserve(LARGEST_STEP);
  if ("call" in step) emitCall(asm, data, step, index, common);
  else if ("test" in step) {
    const at = data.named(step.test) + step.offset;
    const { size, mask, value, equal, differs } = step;
    if (equal !== undefined) asm.jumpIfMemory(at, size, mask, value, true, placeOf(equal, index));
    if (differs !== undefined) asm.jumpIfMemory(at, size, mask, value, false, placeOf(differs, index));
  } else if ("store" in step) {
    if (step.store !== "argument") emitArgument(asm, data, 0, step.store);
    asm.storeArgument(data.named(step.into));
  } else if ("jump" in step) asm.jump(placeOf(step.jump, index));
  else {
    asm.step(common.first + index);
    asm.result(-numberOf(step.fail));
    asm.jump(common.failure);
  }
}

const placeOf = (target: Target, index: number): number => (target === "next" ? index + 1 : target.target);

function numberOf(errno: string): number {
  const number = errnoNumber(errno);
  if (number === undefined) throw new TypeError(`no error is named ${JSON.stringify(errno)}`);
  return number;
}

function emitCall(asm: Assembler, data: Data, step: Call, index: number, { failure, first, column }: Common): void {
  const { args, on, zero, then, into, fault } = step;
  const any = on?.["*"];
  if (any === undefined || zero === "fail") asm.step(first + index);
  if (fault !== undefined) asm.result(-numberOf(fault));
  else {
    for (let i = 0; i < args.length; i++) emitArgument(asm, data, i, args[i]);
    asm.syscall(SYSCALLS[step.call][column]);
  }
  for (const name in on) if (name !== "*") asm.jumpIfErrno(numberOf(name), placeOf(on[name], index));
  if (any === undefined) asm.jumpIfError(failure);
  // Where the result is neither stored nor looked at again, an error that goes on needs no instruction.
  else if (any !== "next" || into !== undefined || then !== undefined || zero !== undefined)
    asm.jumpIfError(placeOf(any, index));
  if (into !== undefined) asm.storeResult(data.named(into));
  if (zero !== undefined) asm.jumpIfZero(zero === "fail" ? failure : placeOf(zero, index));
  if (then !== undefined && then !== "next") asm.jump(then.target);
}

function emitArgument(asm: Assembler, data: Data, register: number, value: Value): void {
  if (typeof value !== "object") asm.constant(register, value);
  else if ("flags" in value) asm.constant(register, data.constant(value));
  else if ("slot" in value) asm.load(register, data.named(value.slot) + (value.offset ?? 0));
  else asm.address(register, data.address(value));
}

function emitExit(asm: Assembler, status: number, column: 0 | 1): void {
  asm.constant(0, status);
  asm.syscall(SYSCALLS.exit_group[column]);
}

/** The report of a failed step: its index, the errno, and what the mount context's log says; then the end. */
function emitFailure(asm: Assembler, data: Data, program: Program, column: 0 | 1): void {
  const report = data.zero(REPORT_SIZE);
  asm.storeFailure(report, report + 4);
  asm.load(0, data.named(program.report.context));
  asm.address(1, report + 8);
  asm.constant(2, REPORT_SIZE - 8);
  asm.syscall(SYSCALLS.read[column]);
  asm.load(0, data.named(program.report.to));
  asm.address(1, report);
  asm.constant(2, REPORT_SIZE);
  asm.syscall(SYSCALLS.write[column]);
  emitExit(asm, 1, column);
}

/** The data of a program as it is laid out: strings, structs and slots, each at an offset. */
class Data {
  zeroed = 0;
  private bytes = new Uint8Array(16384);
  private view = viewOf(this.bytes);
  private length = 0;
  private readonly names = new Map<string, number>();
  private readonly texts = new Map<string, number>();
  /** Pairs: where a word holds an address, and the offset that it is the address of. */
  private readonly pointers: number[] = [];
  private readonly numbers: Record<ConstantName, number>;
  private readonly flags = new Map<string, number>();

  constructor(program: Program, arch: Arch, inputs: Readonly<Record<string, number>>) {
    this.numbers = constants(arch);
    const { memory } = program;
    const structs: [at: number, fields: readonly Field[]][] = [];
    for (const name in memory) {
      const shape = memory[name];
      if (typeof shape === "object") {
        const at = this.reserve(shape.length * 8);
        this.names.set(name, at);
        structs.push([at, shape]);
        shape.forEach((field, i) => {
          if (typeof field === "object" && "place" in field) this.names.set(field.place, at + i * 8);
        });
      } else if (name in inputs) {
        const at = this.reserve(8);
        this.names.set(name, at);
      } else this.names.set(name, this.zero(shape));
    }
    for (const [at, fields] of structs) this.fill(at, fields);
    for (const name in inputs) this.word(this.named(name), inputs[name]);
  }

  /** The offset of named memory. */
  named(name: string): number {
    const at = this.names.get(name);
    if (at === undefined) throw new TypeError(`the program has no memory named ${JSON.stringify(name)}`);
    return at;
  }

  /** Reserves zeroed memory. Returns its offset. */
  zero(size: number): number {
    const at = ZEROED + this.zeroed;
    this.zeroed += (size + 7) & ~7;
    return at;
  }

  /** A constant's value. (Most are small: a bigint costs an engine many times what a number does.) */
  constant(value: Value): number | bigint {
    if (typeof value === "number" || typeof value === "bigint") return value;
    if ("flags" in value) return value.plus === undefined ? this.bits(value.flags) : this.bits(value.flags) | value.plus;
    throw new TypeError("not a constant");
  }

  /** The offset of what an address value points to; lays it out if need be. */
  address(value: Value): number {
    if (typeof value !== "object") throw new TypeError("not an address");
    if ("at" in value) return this.named(value.at);
    if ("text" in value) return this.text(value.text);
    if ("bytes" in value) {
      const at = this.reserve(value.bytes.length);
      this.bytes.set(value.bytes, at);
      return at;
    }
    if ("strings" in value) {
      const texts = value.strings.map((text) => this.text(text));
      const at = this.reserve((texts.length + 1) * 8);
      texts.forEach((text, i) => {
        this.pointers.push(at + i * 8, text);
      });
      return at;
    }
    if ("struct" in value) {
      const at = this.reserve(value.struct.length * 8);
      this.fill(at, value.struct);
      return at;
    }
    throw new TypeError("not an address");
  }

  /** Fixes the addresses inside the data. */
  finish(address: number): Uint8Array {
    const { pointers } = this;
    const length = (this.length + 7) & ~7;
    for (let i = 0; i < pointers.length; i += 2) {
      const offset = pointers[i + 1];
      this.word(pointers[i], address + (offset < ZEROED ? offset : length + offset - ZEROED));
    }
    return this.bytes.subarray(0, length);
  }

  /** The kernel's constants joined. Those beyond 32 bits do not share any below with others. */
  private bits(flags: string): number {
    const known = this.flags.get(flags);
    if (known !== undefined) return known;
    let [low, high] = [0, 0];
    for (const name of flags.split("|")) {
      const number = this.numbers[name as ConstantName];
      if (number === undefined) throw new TypeError(`no kernel constant is named ${JSON.stringify(name)}`);
      low |= number;
      high |= Math.floor(number / 0x100000000);
    }
    // Negative constants, AT_FDCWD, stand alone.
    const bits = flags.includes("|") ? (low >>> 0) + high * 0x100000000 : this.numbers[flags as ConstantName];
    this.flags.set(flags, bits);
    return bits;
  }

  private fill(at: number, fields: readonly Field[]): void {
    fields.forEach((field, i) => {
      const place = at + i * 8;
      if (typeof field === "object" && "place" in field) return;
      if (typeof field === "object" && "slot" in field) throw new TypeError("a struct holds no slot's content");
      if (typeof field === "object" && !("flags" in field)) this.pointers.push(place, this.address(field));
      else this.word(place, this.constant(field));
    });
  }

  private word(at: number, value: number | bigint): void {
    if (typeof value === "bigint") {
      this.view.setBigInt64(at, BigInt.asIntN(64, value), true);
      return;
    }
    this.view.setInt32(at, value % 0x100000000, true);
    this.view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  }

  private text(text: string): number {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    const bytes = ffi.encode(text);
    const at = this.reserve(bytes.length + 1, 1);
    this.bytes.set(bytes, at);
    this.texts.set(text, at);
    return at;
  }

  private reserve(size: number, alignment = 8): number {
    const at = (this.length + alignment - 1) & -alignment;
    this.length = at + size;
    if (this.length + 8 > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + 4096));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = viewOf(larger);
    }
    return at;
  }
}
