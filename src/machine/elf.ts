import type { Arch } from "../ffi/ffi.js";
import { viewOf } from "../linux/bytes.js";
import { assemble, type Placement } from "./assemble.js";
import type { Program } from "./program.js";

/** elf(5): e_machine, and the largest page that the architecture's kernels use. */
const MACHINES: Record<Arch, { id: number; page: number }> = {
  x86_64: { id: 62, page: 0x1000 },
  aarch64: { id: 183, page: 0x10000 },
};
const BASE = 0x400000;
const HEADER = 64;
const SEGMENT = 56;
const HEADERS = HEADER + 3 * SEGMENT;
const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474e551];
const [PF_X, PF_W, PF_R] = [1, 2, 4];

/**
 * An ELF executable that runs a program and exits: headers and code as one segment that is not writable, data as one
 * that is not executable. The second starts in the file right behind the first; it is mapped a page further up.
 *
 * @param inputs slots that hold something from the start, by name
 * @param first the number by which the first step reports a failure
 */
export function elf(program: Program, arch: Arch, inputs: Readonly<Record<string, number>>, first: number): Uint8Array {
  const { id, page } = MACHINES[arch];
  const dataOffset = (codeLength: number) => (HEADERS + codeLength + 15) & ~15;
  const placement: Placement = {
    codeAddress: BASE + HEADERS,
    dataAddress(codeLength) {
      const offset = dataOffset(codeLength);
      return BASE + ((offset + page - 1) & -page) + (offset & (page - 1));
    },
    ending: "exit",
  };
  const { code, data, zeroed } = assemble(program, arch, placement, inputs, first);
  const offset = dataOffset(code.length);
  const address = placement.dataAddress(code.length);
  const file = new Uint8Array(offset + data.length);
  const view = viewOf(file);
  const word = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, id, true);
  view.setUint32(20, 1, true);
  word(24, BASE + HEADERS); // entry
  word(32, HEADER); // program headers
  view.setUint16(52, HEADER, true);
  view.setUint16(54, SEGMENT, true);
  view.setUint16(56, 3, true);

  const segment = (index: number, type: number, flags: number, words: readonly number[]) => {
    const at = HEADER + index * SEGMENT;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    words.forEach((value, i) => {
      word(at + 8 + i * 8, value);
    });
  };
  segment(0, PT_LOAD, PF_R | PF_X, [0, BASE, BASE, HEADERS + code.length, HEADERS + code.length, page]);
  segment(1, PT_LOAD, PF_R | PF_W, [offset, address, address, data.length, data.length + zeroed, page]);
  segment(2, PT_GNU_STACK, PF_R | PF_W, [0, 0, 0, 0, 0, 16]);
  file.set(code, HEADERS);
  file.set(data, offset);
  return file;
}
