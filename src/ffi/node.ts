import { createRequire } from "node:module";
import type { Arch, Arg, Ffi } from "./ffi.js";

/** What we use of ffi-napi and ref-napi, which carry no types of this shape. */
interface Native {
  Library(name: null, functions: Record<string, [string, string[]]>): Record<string, (...args: unknown[]) => unknown>;
  ForeignFunction(target: unknown, result: string, args: string[]): (block: Buffer) => void;
}
interface References {
  address(buffer: Buffer): number;
}

const require = createRequire(import.meta.url);
const native: Native = require("ffi-napi");
const { address }: References = require("ref-napi");

const arch: Arch = process.arch === "arm64" ? "aarch64" : "x86_64";

/**
 * Two functions as machine code, each taking the address of eight words: what to call, six arguments, and room for the
 * result. The first makes a system call, the second calls an address. (libc's `syscall` leaves the cause of a failure
 * in errno, which the engine may overwrite before we read it; the raw instruction returns it. And one pointer costs
 * ffi-napi a tenth of what seven integers cost.)
 */
const STUBS: Record<Arch, { syscall: string; call: string }> = {
  x86_64: {
    syscall: "534889fb488b03488b7b08488b7310488b53184c8b53204c8b43284c8b4b300f05488943385bc3",
    call: "534889fb488b03488b7b08488b7310488b5318488b4b204c8b43284c8b4b30ffd0488943385bc3",
  },
  aarch64: {
    syscall: "f37bbfa9f30300aa680240f9608640a9628e41a9649642a9010000d4601e00f9f37bc1a8c0035fd6",
    call: "f37bbfa9f30300aa690240f9608640a9628e41a9649642a920013fd6601e00f9f37bc1a8c0035fd6",
  },
};

/** Places machine code in a page of its own: written while writable, then sealed to read and execute only. */
function place(hex: string): (block: Buffer) => void {
  const libc = native.Library(null, {
    mmap: ["pointer", ["pointer", "size_t", "int", "int", "int", "int64"]],
    memcpy: ["pointer", ["pointer", "pointer", "size_t"]],
    mprotect: ["int", ["pointer", "size_t", "int"]],
  });
  const code = Buffer.from(hex, "hex");
  const [PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS] = [1, 2, 4, 0x02, 0x20];
  const page = libc.mmap(null, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  libc.memcpy(page, code, code.length);
  if (libc.mprotect(page, 4096, PROT_READ | PROT_EXEC) !== 0) throw new Error("mprotect of the call stub failed");
  return native.ForeignFunction(page, "void", ["pointer"]);
}

const block = Buffer.alloc(64);
const view = new DataView(block.buffer, block.byteOffset, 64);

/** The arguments of the call that was made last. */
const held: { args: readonly (Arg | undefined)[] } = { args: [] };

function invoke(stub: (block: Buffer) => void, target: number, args: readonly (Arg | undefined)[]): number {
  view.setBigInt64(0, BigInt(target), true);
  for (let i = 0; i < 6; i++) {
    const arg = args[i] ?? 0;
    view.setBigInt64(8 + 8 * i, BigInt.asIntN(64, BigInt(arg instanceof Uint8Array ? addressOf(arg) : arg)), true);
  }
  stub(block);
  // Until here the collector must not free what the words point to.
  held.args = args;
  return Number(view.getBigInt64(56, true));
}

function addressOf(bytes: Uint8Array): number {
  // Reading `buffer` moves a small array's content out of the collected heap, so that its address stays.
  return address(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

const syscallStub = place(STUBS[arch].syscall);
const callStub = place(STUBS[arch].call);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

export const ffi: Ffi = {
  engine: `node: ${process.versions.node}`,
  arch,
  argv: process.argv.slice(1),
  get environ() {
    return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  },
  syscall: (number, ...args) => invoke(syscallStub, number, args),
  call: (at, ...args) => invoke(callStub, at, args),
  addressOf,
  decode: (bytes) => decoder.decode(bytes),
  encode: (text) => encoder.encode(text),
  encodeInto(text, bytes, at) {
    const encoded = encoder.encode(text);
    bytes.set(encoded, at);
    return encoded.length;
  },
  expand: () => {},
  exit: (status) => process.exit(status),
};

/**
 * Runs the program: its last statement. (The QuickJS form loads modules at build time and comes here at run time; what is
 * worth doing ahead there would have to be done each time here.)
 */
export function start(main: () => void, _ahead?: () => void): void {
  main();
}
