import type { Arg, Ffi } from "../../src/ffi/ffi.js";

/** Numbers of system calls, and a native function that returns its first argument, and one for the sixth. */
const NATIVE = {
  x86_64: {
    getpid: 39,
    mmap: 9,
    write: 1,
    pread64: 17,
    close: 3,
    memfd_create: 319,
    first: "4889f8c3",
    sixth: "4c89c8c3",
  },
  aarch64: {
    ...{ getpid: 172, mmap: 222, write: 64, pread64: 67, close: 57, memfd_create: 279 },
    ...{ first: "c0035fd6", sixth: "e00305aac0035fd6" },
  },
};

/** What an engine does where engines might differ. It has to be the same for all. */
export function observe(ffi: Ffi): Record<string, unknown> {
  const { first, sixth, ...numbers } = NATIVE[ffi.arch];
  const bytes = new Uint8Array(64).map((_, i) => i);
  const fd = ffi.syscall(numbers.memfd_create, ffi.encode("observe\0"), 0);
  const written = ffi.syscall(numbers.write, fd, bytes.subarray(16), 32);
  const readBack = new Uint8Array(8);
  ffi.syscall(numbers.pread64, fd, readBack.subarray(2), 4, 3n);
  const same = functionAt(first);
  const last = functionAt(sixth);
  return {
    pid: ffi.syscall(numbers.getpid) > 0,
    error: ffi.syscall(numbers.close, -1),
    written,
    readBack: [...readBack],
    closed: ffi.syscall(numbers.close, fd),
    offset: ffi.addressOf(bytes.subarray(5)) - ffi.addressOf(bytes),
    arguments: ([0, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, null, 7n, -7n, 2n ** 64n - 1n, 2n ** 63n] as Arg[]).map(
      (arg) => ffi.call(same, arg),
    ),
    address: ffi.call(same, bytes) === ffi.addressOf(bytes),
    sixth: ffi.call(last, 1, 2, 3, 4, 5, 6),
    absent: ffi.call(last, 1),
    encoded: ["", "abc", "\0", "é", "€", "😀", "\ud800", "x\udc00y", "\ud83dé", "\ufeff"].map((text) => [
      ...ffi.encode(text),
    ]),
    encodedInto: ["", "ab", "€", "\ud800"].map((text) => {
      const into = new Uint8Array(5).fill(0x2e);
      return [ffi.encodeInto(text, into, 1), ...into];
    }),
    decoded: byteStrings().map((text) => ffi.decode(text)),
  };

  function functionAt(code: string): number {
    const file = ffi.syscall(numbers.memfd_create, ffi.encode("code\0"), 0);
    const content = Uint8Array.from(code.match(/../g) as string[], (digits) => Number.parseInt(digits, 16));
    ffi.syscall(numbers.write, file, content, content.length);
    const [PROT_READ, PROT_EXEC, MAP_PRIVATE] = [1, 4, 2];
    const address = ffi.syscall(numbers.mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    ffi.syscall(numbers.close, file);
    return address;
  }
}

/** Every pair of bytes at the edges of UTF-8's ranges before and after a letter, and some longer strings. */
function byteStrings(): Uint8Array[] {
  const edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef];
  edges.push(0xf0, 0xf1, 0xf4, 0xf5, 0xf8, 0xff);
  const strings: number[][] = [[], [0xef, 0xbb, 0xbf, 0x41]];
  for (const a of edges) {
    for (const b of edges) {
      strings.push([a, b], [0x41, a, b, 0x41]);
      for (const c of [0x41, 0x80, 0xbf, 0xc2, 0xf0]) strings.push([a, b, c], [a, b, 0x80, c], [a, b, c, 0xbf, 0x41]);
    }
  }
  return strings.map((string) => Uint8Array.from(string));
}
