import type { Arch } from "../ffi/ffi.js";
import { assembler, emitPart } from "./assemble.js";
import { Data, type Room } from "./data.js";
import type { Part, Program } from "./program.js";

/** Parts that are assembled already, and the memory that they share. */
export class Stock {
  readonly data: Data;
  readonly code = new Map<Part, Int32Array>();

  /** @param room where the memory lies in every program that takes parts from the stock */
  constructor(
    private readonly arch: Arch,
    room: Room,
  ) {
    this.data = new Data(arch, room);
  }

  /** Assembles those parts of a program that are to be kept, as far as they are not in stock. Throws Failure. */
  add({ parts }: Program, isKept: (part: Part) => boolean): void {
    const missing = parts.map(({ part }) => part).filter((part) => isKept(part) && !this.code.has(part));
    // What one part fills another uses, kept or not. A struct is its part's own.
    for (const { part } of parts) this.data.declare(part.memory, missing.includes(part));
    for (const part of missing) {
      const asm = assembler(this.arch);
      emitPart(asm, this.data, part, 0, this.arch);
      this.code.set(part, asm.words.slice(0, asm.length));
    }
  }
}
