/**
 * The whole of what fdrunc asks of a JavaScript engine. Two drivers implement it: `node.ts` (ffi-napi on Node) and
 * `quickjs/` (a small C host). Everything else is TypeScript on top of it and runs unchanged on both.
 */

/** What a system call or a native function takes: an integer, the address of a typed array's first byte, or null (0). */
export type Arg = number | bigint | Uint8Array | null;

export interface Ffi {
  /** Which engine that is, and its version: "node: 20.11.1". */
  readonly engine: string;
  /** The machine that the engine runs on. */
  readonly arch: Arch;
  /** The engine's command line, program name first. */
  readonly argv: readonly string[];
  /** The engine's environment, as "NAME=value" strings. */
  readonly environ: readonly string[];
  /** Makes a system call by number. Returns the kernel's raw result: -4095..-1 is a negated errno. */
  syscall(number: number, a?: Arg, b?: Arg, c?: Arg, d?: Arg, e?: Arg, f?: Arg): number;
  /** Calls native code at an address by the C convention. Returns its integer result. */
  call(address: number, a?: Arg, b?: Arg, c?: Arg, d?: Arg, e?: Arg, f?: Arg): number;
  /** The address of the array's first byte; valid while the array is referenced. */
  addressOf(bytes: Uint8Array): number;
  /** UTF-8 bytes to text; invalid sequences become U+FFFD. */
  decode(bytes: Uint8Array): string;
  /** Text to UTF-8 bytes, without a terminating NUL. */
  encode(text: string): Uint8Array;
  /** Writes text as UTF-8 at an offset of an array. Returns how many bytes. Throws RangeError where it does not fit. */
  encodeInto(text: string, bytes: Uint8Array, at: number): number;
  /** Says that much will be done now, for which an engine may get memory in one go. */
  expand(): void;
  /** Ends the process at once with this status. */
  exit(status: number): never;
}

/** A machine architecture, by the kernel's name. */
export type Arch = "x86_64" | "aarch64";
