import type { SyscallName } from "../linux/syscalls.js";

/**
 * A program: a flat list of system calls with forward jumps only, as plain data. It is independent of the machine;
 * `assemble` turns it into code. Its steps are numbered through its parts, from 1 in everything that a person sees.
 */
export interface Program {
  readonly parts: readonly PlacedPart[];
  /** Where a failure is written: the slot with the file descriptor, and one with a mount context to ask for its log. */
  readonly report: { readonly to: string; readonly context: string };
}

/** A stretch of a program that nothing jumps into or out of: it is the same wherever it stands. */
export interface Part {
  readonly steps: readonly Step[];
  /** How many these are. */
  readonly count: number;
  /** Named memory that it uses: so many zero bytes (8 are a slot), or a struct's words. Names go for the whole program. */
  readonly memory: Readonly<Record<string, number | readonly Field[]>>;
}

/**
 * Slots by which a part gives back the memory of the code before it: the address of that and how many bytes there are, in
 * whole pages; 0 where it is less than one. The code that reports failures stays.
 */
export const PASSED = { code: "passed-code", size: "passed-size" } as const;

/** A part where it stands. */
export interface PlacedPart {
  readonly part: Part;
  /** The JSON path that those of its steps stem from which tell none. */
  readonly from?: string;
}

/** What a step may pass to a system call, or hold in a struct: a 64-bit word. */
export type Value =
  | number
  | bigint
  /** The kernel's constants by name, joined by "|", and further bits (a mode). */
  | { readonly flags: string; readonly plus?: number }
  /** The content of a slot, or the 64-bit word at an offset in named memory. */
  | { readonly slot: string; readonly offset?: number }
  /** The address of named memory. */
  | { readonly at: string }
  /** The address of a NUL-terminated string. */
  | { readonly text: string }
  /** The address of constant bytes; `shown` describes them to people. */
  | { readonly bytes: Uint8Array; readonly shown: string }
  /** The address of a vector of strings that a null pointer ends, as execve(2) takes it. */
  | { readonly strings: readonly string[] }
  /** The address of consecutive words. */
  | { readonly struct: readonly Value[] };

/** A named struct's word: a value, or the place of a slot, so that a result lands inside the struct. */
export type Field = Value | { readonly place: string };

/** A place in a part: before its step of this index, or at its end. Jumps lead forward only. */
export interface Label {
  target: number;
}

/** Where to go on. */
export type Target = Label | "next";

/** What to do about a failure, or about those that have a certain errno. */
export type Hint = string | Readonly<Record<string, string>>;

/** What every step carries: its sentence ("mount proc on \"/proc\""), and the JSON path of the property it stems from. */
interface Told {
  readonly says: string;
  readonly from?: string;
  /** What to do about a failure: whichever, or by the errno's name. */
  readonly hint?: Hint;
}

/** Makes a system call. */
export interface Call extends Told {
  readonly call: SyscallName;
  readonly args: readonly Value[];
  /** The slot that takes the result of a call that succeeded. */
  readonly into?: string;
  /** Where to go on for an errno, by name; "*" is any. Those not named fail the program. */
  readonly on?: Readonly<Record<string, Target>>;
  /** Where to go on after a result of zero; "fail" fails the program with EPIPE (end of file where a message was due). */
  readonly zero?: Target | "fail";
  /** Where to go on after success. */
  readonly then?: Target;
  /** The errno that this call is made to fail with, instead of being made: a fault on purpose. */
  readonly fault?: string;
}

/** Compares an unsigned number in named memory and jumps. */
export interface Test extends Told {
  readonly test: string;
  readonly offset: number;
  /** Bytes of the number. */
  readonly size: 1 | 2 | 4;
  readonly mask: number;
  readonly value: number;
  readonly equal?: Target;
  readonly differs?: Target;
}

/** Stores a value in a slot, or the first argument that the code was called with. */
export interface Store extends Told {
  readonly store: Value | "argument";
  readonly into: string;
}

/** Goes on elsewhere. */
export interface Jump extends Told {
  readonly jump: Target;
}

/** Fails the program with an errno, by name. */
export interface Fail extends Told {
  readonly fail: string;
}

export type Step = Call | Test | Store | Jump | Fail;

/** What a failed program writes: step and errno as 32-bit numbers, then the mount context's log, NUL-padded. */
export const REPORT_SIZE = 264;
