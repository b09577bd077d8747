import type { Arch } from "../ffi/ffi.js";
import { viewOf } from "../linux/bytes.js";
import { assemble, PAGE, type Placement } from "./assemble.js";
import type { Part, Program } from "./program.js";
import { Stock } from "./stock.js";

/** elf(5): e_machine. */
const MACHINES: Record<Arch, number> = { x86_64: 62, aarch64: 183 };
const HEADER = 64;
const SEGMENT = 56;
const HEADERS = HEADER + 4 * SEGMENT;
const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474e551];
const [PF_X, PF_W, PF_R] = [1, 2, 4];

/** Where everything lies, far enough apart for programs of some thousand steps; data may grow. */
const BASE = 0x400000;
const PLACEMENT: Placement = { code: BASE + HEADERS, zeroed: 0x2400000, data: 0x2440000, ending: "exit" };

/** Parts that are assembled already, by architecture. */
const STOCKS: Partial<Record<Arch, Stock>> = {};

/** Assembles parts of a program ahead, so that executables with the same parts are made faster. Throws Failure. */
export function stockParts(program: Program, arch: Arch, isKept: (part: Part) => boolean): void {
  STOCKS[arch] ??= new Stock(arch, PLACEMENT);
  STOCKS[arch].add(program, isKept);
}

/**
 * An ELF executable that runs a program and exits: headers and code as one segment that is not writable, memory and data
 * as two that are not executable.
 *
 * @param inputs slots that hold something from the start, by name
 * @param first the number by which the first step reports a failure
 */
export function elf(program: Program, arch: Arch, inputs: Readonly<Record<string, number>>, first: number): Uint8Array {
  const page = PAGE[arch];
  const { code, entry, data: memory } = assemble(program, arch, PLACEMENT, first, STOCKS[arch]);
  const data = memory.finish(inputs);
  const codeEnd = HEADERS + code.length;
  const offset = (codeEnd + page - 1) & -page;
  const file = new Uint8Array(offset + data.length);
  const view = viewOf(file);
  const word = (at: number, value: number) => view.setInt32(at, value, true);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, MACHINES[arch], true);
  word(20, 1); // version
  word(24, PLACEMENT.code + entry);
  word(32, HEADER); // program headers
  view.setUint16(52, HEADER, true);
  view.setUint16(54, SEGMENT, true);
  view.setUint16(56, 4, true);

  const segment = (index: number, type: number, flags: number, words: readonly number[]) => {
    const at = HEADER + index * SEGMENT;
    word(at, type);
    word(at + 4, flags);
    // Offset, address, physical address, size in the file, size in memory, alignment: 64 bits each, none that large.
    for (let i = 0; i < words.length; i++) word(at + 8 + i * 8, words[i]);
  };
  segment(0, PT_LOAD, PF_R | PF_X, [0, BASE, BASE, codeEnd, codeEnd, page]);
  segment(1, PT_LOAD, PF_R | PF_W, [0, PLACEMENT.zeroed, PLACEMENT.zeroed, 0, memory.zeroed, page]);
  segment(2, PT_LOAD, PF_R | PF_W, [offset, PLACEMENT.data, PLACEMENT.data, data.length, data.length, page]);
  segment(3, PT_GNU_STACK, PF_R | PF_W, [0, 0, 0, 0, 0, 16]);
  file.set(code, HEADERS);
  file.set(data, offset);
  return file;
}
