import { Failure } from "../linux/failure.js";
import { type ByteText, fromBytes, quoteBytes } from "./byte-text.js";
import type { Segment, Time } from "./tar-entry.js";

/** What an extended header of POSIX's pax format says of the entries after it; pax(1), "Extended header records". */
export interface PaxRecords {
  fields: Map<ByteText, ByteText>;
  /** Extended attributes, from the SCHILY.xattr records. */
  attributes: Map<ByteText, Buffer>;
  /** The map of a sparse file, where GNU tar's formats 0.0 and 0.1 have it. */
  segments: Segment[];
}

const ATTRIBUTE = "SCHILY.xattr.";

export const noRecords = (): PaxRecords => ({ fields: new Map(), attributes: new Map(), segments: [] });

/** Adds an extended header's records, "length key=value\n" each, to those known already. Throws Failure. */
export function addRecords(records: PaxRecords, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = fromBytes(bytes, at, space);
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (!/^[0-9]+$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end)
      throw new Failure("extended tar header that is malformed");
    addRecord(records, fromBytes(bytes, space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
}

function addRecord(records: PaxRecords, key: ByteText, value: Buffer): void {
  if (key.includes("\0")) throw new Failure(`extended tar header with ${quoteBytes(key)}`);
  const text = fromBytes(value);
  if (key.startsWith(ATTRIBUTE)) records.attributes.set(key.slice(ATTRIBUTE.length), Buffer.from(value));
  else if (key === "GNU.sparse.offset") records.segments.push({ offset: integer(key, text), length: 0 });
  else if (key === "GNU.sparse.numbytes") lastOf(records.segments).length = integer(key, text);
  else if (key === "GNU.sparse.map") records.segments = pairs(text.split(",").map((digits) => integer(key, digits)));
  else records.fields.set(key, text);
}

function lastOf(segments: Segment[]): Segment {
  const last = segments.at(-1);
  if (last === undefined) throw new Failure("extended tar header whose sparse map has no offset");
  return last;
}

/** Offsets and lengths by turns, as sparse maps have them. */
export function pairs(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw new Failure("sparse map of an odd number of numbers");
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({ offset: numbers[2 * i], length: numbers[2 * i + 1] }));
}

/** A record's value as a non-negative integer. Throws Failure. */
export function integer(key: ByteText, digits: ByteText): number {
  const value = Number(digits);
  if (!/^[0-9]+$/.test(digits) || !Number.isSafeInteger(value))
    throw new Failure(`extended tar header with ${key} ${quoteBytes(digits)}`);
  return value;
}

/** A record's value as a time, "1234.56" or "-1.5". Digits past nanoseconds are dropped. Throws Failure. */
export function time(key: ByteText, text: ByteText): Time {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw new Failure(`extended tar header with ${key} ${quoteBytes(text)}`);
  const [, sign, whole, fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}
