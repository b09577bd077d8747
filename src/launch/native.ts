import { ffi } from "../ffi/driver.js";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { attempt, must, sys } from "../linux/syscall.js";
import { type Assembled, assemble, type Placement } from "../machine/assemble.js";
import type { Part, Program } from "../machine/program.js";

/** Room for each of code, zeroed memory and data; a multiple of any page's size. */
const PART = 0x10000;
const SIZE = 3 * PART;

/** Where programs go that are assembled ahead, one behind the other: addresses that hardly anything else takes. */
const AHEAD = 0x10000000;

/** Programs of one part that are assembled ahead: with this process's memory at build time, in the QuickJS form. */
const ASSEMBLED = new Map<Part, { readonly at: number; readonly assembled: Assembled }>();

/** Assembles a program ahead that consists of one kept part. */
export function assembleAhead(program: Program): void {
  const [{ part }] = program.parts;
  if (ASSEMBLED.has(part)) return;
  const at = AHEAD + ASSEMBLED.size * SIZE;
  const { code, ...rest } = assemble(program, ffi.arch, placementAt(at), 1);
  // Without the room that it was written with.
  ASSEMBLED.set(part, { at, assembled: { ...rest, code: code.slice() } });
}

const placementAt = (address: number): Placement => ({
  code: address,
  zeroed: address + PART,
  data: address + 2 * PART,
  ending: "return",
});

/**
 * Places a program in this process's own memory, as a function without arguments that returns the last result: code
 * that cannot be written, data that cannot be executed. Returns its address. The memory is never given back: a process
 * that the function has started may still be in it.
 */
export function placeProgram(program: Program, inputs: Readonly<Record<string, number>>): number {
  const ahead = ASSEMBLED.get(program.parts[0].part);
  const address = must(
    "mmap",
    "reserve memory for the launcher",
    attempt(
      "mmap",
      ahead?.at ?? 0,
      SIZE,
      C.PROT_READ | C.PROT_WRITE,
      C.MAP_PRIVATE | C.MAP_ANONYMOUS | C.MAP_32BIT,
      -1,
      0,
    ),
  );
  const placement = placementAt(address);
  // Where something else lies there, also this program itself from before, the kernel finds another place.
  const assembled = address === ahead?.at ? ahead.assembled : assemble(program, ffi.arch, placement, 1);
  const data = assembled.data.finish(inputs);
  if (data.length > PART) throw new RangeError("the launcher's data is larger than its place");
  copyTo(placement.code, assembled.code);
  copyTo(placement.data, data);
  sys("mprotect", address, PART, C.PROT_READ | C.PROT_EXEC);
  return address + assembled.entry;
}

/** Copies bytes to an address of this process. process_vm_writev(2) */
function copyTo(address: number, bytes: Uint8Array): void {
  const from = words(ffi.addressOf(bytes), bytes.length);
  const to = words(address, bytes.length);
  sys("process_vm_writev", sys("getpid"), from, 1, to, 1, 0);
}
