import { ffi } from "../ffi/driver.js";
import type { Arch } from "../ffi/ffi.js";
import { viewOf } from "../linux/bytes.js";
import { type ConstantName, constants } from "../linux/constants.js";
import { errnoNumber } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { SYSCALLS } from "../linux/syscalls.js";
import { Aarch64Assembler } from "./aarch64.js";
import type { Assembler, Memory } from "./assembler.js";
import { type Call, type Field, type Program, REPORT_SIZE, type Step, type Target, type Value } from "./program.js";
import { X86Assembler } from "./x86_64.js";

/** Machine code and the data it works on. */
export interface Assembled {
  readonly code: Uint8Array;
  /** Where it starts, in bytes from its beginning: there it reports failures. */
  readonly entry: number;
  /** Data with its initial content. */
  readonly data: Uint8Array;
  /** How many bytes of zeroed memory there are. */
  readonly zeroed: number;
}

/** The addresses that assembled code and its memory go to, and how much room is left between them. */
export interface Placement {
  readonly code: number;
  readonly zeroed: number;
  readonly data: number;
  /** What the code does at its end: "exit" as a process, "return" its last result to a caller. */
  readonly ending: "exit" | "return";
}

/**
 * Turns a program into machine code.
 *
 * @param inputs slots that hold something from the start, by name
 * @param first the number by which the first step reports a failure
 * @throws Failure where the program is larger than its place
 */
export function assemble(
  program: Program,
  arch: Arch,
  placement: Placement,
  inputs: Readonly<Record<string, number>>,
  first: number,
): Assembled {
  const data = new Data(program, arch, placement, inputs);
  const asm: Assembler = arch === "x86_64" ? new X86Assembler(placement.code) : new Aarch64Assembler();
  const { steps } = program;
  // Labels are the steps' own indices, then the end, then the failure's report.
  const end = steps.length;
  const failure = end + 1;
  const places = new Int32Array(failure + 1);
  const column = arch === "x86_64" ? 0 : 1;

  // At the very beginning, so that each step knows the distance.
  emitFailure(asm, data, program, column);
  const entry = asm.length * 4;
  for (let index = 0; index < end; index++) {
    const step = steps[index];
    places[index] = asm.length;
    if (asm.length > asm.enough) asm.grow();
    if ("call" in step) emitCall(asm, data, step, index, failure, first + index, column);
    else emitOther(asm, data, step, index, failure, first + index);
  }
  places[end] = asm.length;
  if (asm.length > asm.enough) asm.grow();
  if (placement.ending === "return") asm.return();
  else emitExit(asm, data, 0, column);
  asm.resolve(places);

  const code = asm.finish();
  const room = Math.min(placement.zeroed - placement.code, asm.farthest);
  if (code.length > room || data.zeroed > placement.data - placement.zeroed)
    throw new Failure(`a program of ${end} steps is larger than its place`);
  return { code, entry, data: data.finish(), zeroed: data.zeroed };
}

function emitOther(
  asm: Assembler,
  data: Data,
  step: Exclude<Step, Call>,
  index: number,
  failure: number,
  number: number,
): void {
  if ("test" in step) {
    const at = data.named(step.test) + step.offset;
    const { size, mask, value, equal, differs } = step;
    if (equal !== undefined) asm.jumpIfMemory(at, size, mask, value, true, placeOf(equal, index));
    if (differs !== undefined) asm.jumpIfMemory(at, size, mask, value, false, placeOf(differs, index));
  } else if ("store" in step) {
    const address = data.named(step.into);
    if (step.store === "argument") asm.storeArgument(address);
    else {
      asm.operands([step.store], data);
      asm.storeOperand(address);
    }
  } else if ("jump" in step) asm.jump(placeOf(step.jump, index));
  else {
    asm.step(number);
    asm.result(-numberOf(step.fail));
    asm.jump(failure);
  }
}

const placeOf = (target: Target, index: number): number => (target === "next" ? index + 1 : target.target);

function numberOf(errno: string): number {
  const number = errnoNumber(errno);
  if (number === undefined) throw new TypeError(`no error is named ${JSON.stringify(errno)}`);
  return number;
}

function emitCall(
  asm: Assembler,
  data: Data,
  { call, args, on, zero, then, into, fault }: Call,
  index: number,
  failure: number,
  number: number,
  column: 0 | 1,
): void {
  if (fault !== undefined) {
    const any = on?.["*"];
    // Code that returns leaves the caller's registers alone.
    if (any === undefined) asm.step(number);
    asm.result(-numberOf(fault));
    asm.jump(any === undefined ? failure : placeOf(any, index));
    return;
  }
  asm.operands(args, data);
  const nr = SYSCALLS[call][column];
  if (on === undefined) asm.checkedSyscall(nr, number);
  else {
    const any = on["*"];
    if (any === undefined || zero === "fail") asm.step(number);
    asm.syscall(nr);
    for (const name in on) if (name !== "*") asm.jumpIfErrno(numberOf(name), placeOf(on[name], index));
    if (any === undefined) asm.jumpIfError(failure);
    // Where the result is neither stored nor looked at again, an error that goes on needs no instruction.
    else if (any !== "next" || into !== undefined || then !== undefined || zero !== undefined)
      asm.jumpIfError(placeOf(any, index));
  }
  if (into !== undefined) asm.storeResult(data.named(into));
  if (zero !== undefined) asm.jumpIfZero(zero === "fail" ? failure : placeOf(zero, index));
  if (then !== undefined && then !== "next") asm.jump(then.target);
}

function emitExit(asm: Assembler, data: Data, status: number, column: 0 | 1): void {
  asm.operands([status], data);
  asm.syscall(SYSCALLS.exit_group[column]);
  asm.trap();
}

/** The report of a failed step: its number, the errno, and what the mount context's log says; then the end. */
function emitFailure(asm: Assembler, data: Data, { report: { to, context } }: Program, column: 0 | 1): void {
  const report = data.zero(REPORT_SIZE);
  asm.storeFailure(report, report + 4);
  asm.operands([{ slot: context }, report + 8, REPORT_SIZE - 8], data);
  asm.syscall(SYSCALLS.read[column]);
  asm.operands([{ slot: to }, report, REPORT_SIZE], data);
  asm.syscall(SYSCALLS.write[column]);
  emitExit(asm, data, 1, column);
}

/** What the constants' names, joined, come to; by architecture. Kept from program to program: there are not many. */
const KNOWN_BITS: Record<Arch, Map<string, number>> = { x86_64: new Map(), aarch64: new Map() };

/** The kernel's constants joined. Those beyond 32 bits share none below with others. */
function joinedBits(flags: string, numbers: Record<ConstantName, number>): number {
  let [low, high] = [0, 0];
  for (const name of flags.split("|")) {
    const number = numbers[name as ConstantName];
    if (number === undefined) throw new TypeError(`no kernel constant is named ${JSON.stringify(name)}`);
    low |= number;
    high |= Math.floor(number / 0x100000000);
  }
  // A negative constant, AT_FDCWD, stands alone.
  return flags.includes("|") ? (low >>> 0) + high * 0x100000000 : numbers[flags as ConstantName];
}

/** The memory of a program as it is laid out: strings, structs and slots, each at its address. */
class Data implements Memory {
  loaded = false;
  /** Bytes of zeroed memory so far. */
  zeroed = 0;
  private bytes = new Uint8Array(2048);
  private view = viewOf(this.bytes);
  private length = 0;
  private readonly names = new Map<string, number>();
  private readonly texts = new Map<string, number>();
  /** What is laid out already, by identity: values that stand in several places. */
  private readonly placed = new Map<Value, number>();
  private readonly numbers: Record<ConstantName, number>;
  private readonly known: Map<string, number>;

  constructor(
    program: Program,
    arch: Arch,
    private readonly placement: Placement,
    inputs: Readonly<Record<string, number>>,
  ) {
    this.numbers = constants(arch);
    this.known = KNOWN_BITS[arch];
    const { memory } = program;
    const structs: [at: number, fields: readonly Field[]][] = [];
    for (const name in memory) {
      const shape = memory[name];
      if (typeof shape === "object") {
        const at = this.take(shape.length * 8);
        this.names.set(name, placement.data + at);
        structs.push([at, shape]);
        shape.forEach((field, i) => {
          if (typeof field === "object" && "place" in field) this.names.set(field.place, placement.data + at + i * 8);
        });
      } else this.names.set(name, name in inputs ? placement.data + this.take(8) : this.zero(shape));
    }
    for (const [at, fields] of structs) this.fill(at, fields);
    for (const name in inputs) this.word(this.named(name) - placement.data, inputs[name]);
  }

  operand(value: Exclude<Value, number | bigint>): number {
    if ("slot" in value) {
      this.loaded = true;
      const address = this.named(value.slot);
      return value.offset === undefined ? address : address + value.offset;
    }
    this.loaded = false;
    return "flags" in value ? this.bits(value) : this.address(value);
  }

  /** The address of named memory. */
  named(name: string): number {
    const address = this.names.get(name);
    if (address === undefined) throw new TypeError(`the program has no memory named ${JSON.stringify(name)}`);
    return address;
  }

  /** Takes zeroed memory. Returns its address. */
  zero(size: number): number {
    const address = this.placement.zeroed + this.zeroed;
    this.zeroed += (size + 7) & ~7;
    return address;
  }

  /** What constants by name come to. */
  bits({ flags, plus = 0 }: { readonly flags: string; readonly plus?: number }): number {
    let bits = this.known.get(flags);
    if (bits === undefined) {
      bits = joinedBits(flags, this.numbers);
      this.known.set(flags, bits);
    }
    return bits + plus;
  }

  /** The address of what an address value points to; lays it out if need be. */
  address(value: Value): number {
    if (typeof value !== "object") throw new TypeError("not an address");
    if ("text" in value) return this.text(value.text);
    if ("at" in value) return this.named(value.at);
    let address = this.placed.get(value);
    if (address === undefined) {
      address = this.place(value);
      this.placed.set(value, address);
    }
    return address;
  }

  private place(value: Exclude<Value, number | bigint>): number {
    if ("struct" in value) {
      const at = this.take(value.struct.length * 8);
      this.fill(at, value.struct);
      return this.placement.data + at;
    }
    if ("bytes" in value) {
      const at = this.take(value.bytes.length);
      this.bytes.set(value.bytes, at);
      return this.placement.data + at;
    }
    if ("strings" in value) {
      const texts = value.strings.map((text) => this.text(text));
      const at = this.take((texts.length + 1) * 8);
      texts.forEach((address, i) => {
        this.word(at + i * 8, address);
      });
      return this.placement.data + at;
    }
    throw new TypeError("not an address");
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private fill(at: number, fields: readonly Field[]): void {
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i];
      const place = at + i * 8;
      if (typeof field !== "object") this.word(place, field);
      else if ("flags" in field) this.word(place, this.bits(field));
      else if ("slot" in field) throw new TypeError("a struct holds no slot's content");
      else if (!("place" in field)) this.word(place, this.address(field));
    }
  }

  private word(at: number, value: number | bigint): void {
    if (typeof value === "bigint") this.view.setBigInt64(at, value, true);
    else if (value !== 0) {
      this.view.setInt32(at, value, true);
      if (value < 0 || value > 0xffffffff) this.view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
    }
  }

  private text(text: string): number {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    const at = this.length;
    // A UTF-16 unit takes three bytes at most; behind the text stays a zero.
    this.take(3 * text.length + 1, 1);
    this.length = at + ffi.encodeInto(text, this.bytes, at) + 1;
    const address = this.placement.data + at;
    this.texts.set(text, address);
    return address;
  }

  /** Takes memory with initial content. Returns its offset. */
  private take(size: number, alignment = 8): number {
    const at = (this.length + alignment - 1) & -alignment;
    this.length = at + size;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = viewOf(larger);
    }
    return at;
  }
}
