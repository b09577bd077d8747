import { ffi } from "../ffi/driver.js";

/** A path or name: as bytes where it need not be UTF-8. */
export type Path = string | Uint8Array;

const NUL = new Uint8Array(1);

/** Text, or bytes as they are, as a NUL-terminated C string. Throws TypeError on a NUL inside of text. */
export function cstring(text: Path): Uint8Array {
  if (typeof text !== "string") return concat([text, NUL]);
  if (text.includes("\0")) throw new TypeError(`${JSON.stringify(text)} contains a NUL character`);
  return ffi.encode(`${text}\0`);
}

/** The text up to the first NUL, or to the end. */
export function fromCstring(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return ffi.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A little-endian view of the array's own bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** 64-bit words as bytes, little-endian: a C struct of longs and pointers. */
export function words(...values: (number | bigint)[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = viewOf(bytes);
  values.forEach((value, i) => {
    view.setBigInt64(i * 8, BigInt.asIntN(64, BigInt(value)), true);
  });
  return bytes;
}

/** The arrays' bytes, one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
