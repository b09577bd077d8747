import { Failure } from "../linux/failure.js";
import { type ByteText, fromBytes } from "./byte-text.js";

/** A tar header block's fields as they stand in it (POSIX ustar, GNU, star and v7 forms; tar(5)). */
export interface TarHeader {
  name: ByteText;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow. */
  size: number;
  seconds: number;
  flag: string;
  target: ByteText;
  major: number;
  minor: number;
}

export const BLOCK = 512;

/** Takes a block of 512 bytes apart. Returns undefined for the zero block that ends an archive. Throws Failure. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (!hasChecksum(block)) {
    if (block.every((byte) => byte === 0)) return undefined;
    throw new Failure("not a tar header", { cause: "wrong checksum" });
  }
  const prefix = prefixOf(block);
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8, "mode"),
    uid: number(block, 108, 8, "user id"),
    gid: number(block, 116, 8, "group id"),
    size: number(block, 124, 12, "size"),
    seconds: number(block, 136, 12, "time"),
    flag: String.fromCharCode(block[156]),
    target: text(block, 157, 100),
    major: number(block, 329, 8, "device number"),
    minor: number(block, 337, 8, "device number"),
  };
}

/** The sum of all bytes with the checksum's own as spaces; some old programs added signed bytes. */
function hasChecksum(block: Buffer): boolean {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) {
    if (i === 148) i = 156;
    unsigned += block[i];
    high += block[i] >> 7;
  }
  const stated = number(block, 148, 8, "checksum");
  return stated === unsigned || stated === unsigned - 256 * high;
}

/** What stands before the name: in POSIX headers, and shorter in star's; GNU has other things in its place. */
function prefixOf(block: Buffer): ByteText {
  if (fromBytes(block, 257, 263) !== "ustar\0") return "";
  return text(block, 345, fromBytes(block, 508, 512) === "tar\0" ? 131 : 155);
}

/** The bytes up to the first NUL. */
export function text(block: Buffer, at: number, length: number): ByteText {
  const end = block.indexOf(0, at);
  return fromBytes(block, at, end < 0 || end > at + length ? at + length : end);
}

/** A number in octal digits, or in base 256 where the first bit is set. Throws Failure. */
export function number(block: Buffer, at: number, length: number, what: string): number {
  if (block[at] & 0x80) return binary(block.subarray(at, at + length), what);
  const digits = fromBytes(block, at, at + length)
    .replace(/\0.*$/s, "")
    .trim();
  if (!/^[0-7]*$/.test(digits)) throw new Failure(`tar header with the ${what} ${JSON.stringify(digits)}`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** Two's complement, big-endian, but for the first bit, which only marks it. */
function binary(field: Buffer, what: string): number {
  const isNegative = (field[0] & 0x40) !== 0;
  let value = isNegative ? BigInt(field[0] | ~0xff) : BigInt(field[0] & 0x7f);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw new Failure(`tar header with the ${what} ${value}`);
  return result;
}
