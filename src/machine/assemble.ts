import type { Arch } from "../ffi/ffi.js";
import { errnoNumber } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { SYSCALLS } from "../linux/syscalls.js";
import { Aarch64Assembler } from "./aarch64.js";
import type { Assembler } from "./assembler.js";
import { Data, type Room } from "./data.js";
import { type Call, PASSED, type Part, type Program, REPORT_SIZE, type Step, type Target } from "./program.js";
import type { Stock } from "./stock.js";
import { X86Assembler } from "./x86_64.js";

/** Machine code and the data it works on. */
export interface Assembled {
  readonly code: Uint8Array;
  /** Where it starts, in bytes from its beginning: there it reports failures. */
  readonly entry: number;
  /** The memory, in which slots can still be filled with what they hold from the start. */
  readonly data: Data;
}

/** The addresses that assembled code and its memory go to, in this order, and how much room is left between them. */
export interface Placement extends Room {
  readonly code: number;
  /** What the code does at its end: "exit" as a process, "return" its last result to a caller. */
  readonly ending: "exit" | "return";
}

/** The largest page that an architecture's kernels use, in bytes. */
export const PAGE: Record<Arch, number> = { x86_64: 0x1000, aarch64: 0x10000 };

/** An assembler of an architecture's code. */
export const assembler = (arch: Arch): Assembler => (arch === "x86_64" ? new X86Assembler() : new Aarch64Assembler());

/**
 * Turns a program into machine code.
 *
 * @param first the number by which the first step reports a failure
 * @param stock parts that are assembled already, for this architecture and for memory at the same addresses
 * @throws Failure where the program is larger than its place
 */
export function assemble(
  { parts, report }: Program,
  arch: Arch,
  placement: Placement,
  first: number,
  stock?: Stock,
): Assembled {
  const data = new Data(arch, placement, stock?.data);
  data.declare({ [report.to]: 8, [report.context]: 8 });
  for (const { part } of parts) if (!stock?.code.has(part)) data.declare(part.memory);
  const asm = assembler(arch);
  const column = columnOf(arch);

  // At the very beginning, so that each part knows the distance.
  emitFailure(asm, data, report, column);
  const entry = asm.length * 4;
  let before = first - 1;
  for (const { part } of parts) {
    if (PASSED.code in part.memory) presetPassed(data, placement.code, asm.length * 4, PAGE[arch]);
    const ready = stock?.code.get(part);
    if (ready !== undefined) asm.insert(ready, before);
    else emitPart(asm, data, part, before, arch);
    before += part.count;
  }
  asm.reserve();
  if (placement.ending === "return") asm.return();
  else emitExit(asm, data, 0, column);

  const code = asm.finish();
  if (code.length > placement.zeroed - placement.code || data.zeroed > placement.data - placement.zeroed)
    throw new Failure(`a program of ${before - first + 1} steps is larger than its place`);
  return { code, entry, data };
}

/** Tells of the code from the end of its first page on, which has the report of failures, up to where it has come. */
function presetPassed(data: Data, code: number, length: number, page: number): void {
  const from = (code & -page) + page;
  data.preset(PASSED.code, from);
  data.preset(PASSED.size, Math.max(0, ((code + length) & -page) - from));
}

const columnOf = (arch: Arch): 0 | 1 => (arch === "x86_64" ? 0 : 1);

/**
 * Writes a part. Its code is the same at every place, but for its beginning: there it goes on to the report of failures,
 * and adds the number of steps before it to that of the step in it.
 *
 * @throws Failure where it is larger than its branches reach
 */
export function emitPart(asm: Assembler, data: Data, { steps }: Part, before: number, arch: Arch): void {
  // Labels are the steps' own indices, then the end, then the part's way to report a failure.
  const end = steps.length;
  const failure = end + 1;
  const places = new Int32Array(failure + 1);
  const column = columnOf(arch);
  asm.reserve();
  const start = asm.length;
  places[failure] = asm.begin(before);
  for (let index = 0; index < end; index++) {
    const step = steps[index];
    asm.reserve();
    places[index] = asm.length;
    if ("call" in step) emitCall(asm, data, step, index, failure, column);
    else emitOther(asm, data, step, index, failure);
  }
  places[end] = asm.length;
  if ((asm.length - start) * 4 > asm.farthest) throw new Failure(`a program of ${end} steps is larger than its place`);
  asm.resolve(places);
}

function emitOther(asm: Assembler, data: Data, step: Exclude<Step, Call>, index: number, failure: number): void {
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
    asm.step(index + 1);
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
  column: 0 | 1,
): void {
  if (fault !== undefined) {
    const any = on?.["*"];
    // Code that returns leaves the caller's registers alone.
    if (any === undefined) asm.step(index + 1);
    asm.result(-numberOf(fault));
    asm.jump(any === undefined ? failure : placeOf(any, index));
    return;
  }
  asm.operands(args, data);
  const nr = SYSCALLS[call][column];
  if (on === undefined) asm.checkedSyscall(nr, index + 1);
  else {
    const any = on["*"];
    if (any === undefined || zero === "fail") asm.step(index + 1);
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
function emitFailure(asm: Assembler, data: Data, { to, context }: Program["report"], column: 0 | 1): void {
  const report = data.zero(REPORT_SIZE);
  asm.storeFailure(report, report + 4);
  asm.operands([{ slot: context }, report + 8, REPORT_SIZE - 8], data);
  asm.syscall(SYSCALLS.read[column]);
  asm.operands([{ slot: to }, report, REPORT_SIZE], data);
  asm.syscall(SYSCALLS.write[column]);
  emitExit(asm, data, 1, column);
}
