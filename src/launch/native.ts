import { ffi } from "../ffi/driver.js";
import { words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { attempt, must, sys } from "../linux/syscall.js";
import { assemble, type Placement } from "../machine/assemble.js";
import type { Program } from "../machine/program.js";

/** Room for each of code, zeroed memory and data; a multiple of any page's size. */
const PART = 0x10000;

/**
 * Places a program in this process's own memory, as a function without arguments that returns the last result: code
 * that cannot be written, data that cannot be executed. Returns its address. The memory is never given back: a process
 * that the function has started may still be in it.
 */
export function placeProgram(program: Program, inputs: Readonly<Record<string, number>>): number {
  const address = must(
    "mmap",
    "reserve memory for the launcher",
    attempt("mmap", 0, 3 * PART, C.PROT_READ | C.PROT_WRITE, C.MAP_PRIVATE | C.MAP_ANONYMOUS | C.MAP_32BIT, -1, 0),
  );
  const placement: Placement = {
    code: address,
    zeroed: address + PART,
    data: address + 2 * PART,
    ending: "return",
  };
  const { code, entry, data } = assemble(program, ffi.arch, placement, inputs, 1);
  if (data.length > PART) throw new RangeError("the launcher's data is larger than its place");
  copyTo(placement.code, code);
  copyTo(placement.data, data);
  sys("mprotect", address, PART, C.PROT_READ | C.PROT_EXEC);
  return address + entry;
}

/** Copies bytes to an address of this process. process_vm_writev(2) */
function copyTo(address: number, bytes: Uint8Array): void {
  const from = words(ffi.addressOf(bytes), bytes.length);
  const to = words(address, bytes.length);
  sys("process_vm_writev", sys("getpid"), from, 1, to, 1, 0);
}
