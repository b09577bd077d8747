import type { Arch } from "../ffi/ffi.js";
import { assembler, emitPart } from "./assemble.js";
import { Data, type Room } from "./data.js";
import type { Part, Program } from "./program.js";

/** Parts that are assembled already, and the memory that they share. */
export interface Stock {
  readonly data: Data;
  readonly code: ReadonlyMap<Part, Int32Array>;
}

/**
 * Assembles parts ahead. Throws Failure.
 *
 * @param programs programs that have them: these tell of the memory that the parts use and others fill
 */
export function makeStock(parts: readonly Part[], programs: readonly Program[], arch: Arch, room: Room): Stock {
  const data = new Data(arch, room);
  const kept = new Set(parts);
  // A struct of a part that is not kept would take room in vain.
  for (const { part } of programs.flatMap((program) => program.parts))
    for (const [name, shape] of Object.entries(part.memory))
      if (typeof shape === "number" || kept.has(part)) data.declare({ [name]: shape });
  const code = new Map<Part, Int32Array>();
  for (const part of parts) {
    const asm = assembler(arch);
    emitPart(asm, data, part, 0, arch);
    code.set(part, asm.words.slice(0, asm.length));
  }
  return { data, code };
}
