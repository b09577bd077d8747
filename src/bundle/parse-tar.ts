import { Failure } from "../linux/failure.js";
import { type ByteText, fromBytes, quoteBytes } from "./byte-text.js";
import { addRecords, integer, noRecords, type PaxRecords, pairs, time } from "./pax.js";
import type { Segment, TarType, TarVisitor } from "./tar-entry.js";
import { BLOCK, number, parseHeader, type TarHeader, text } from "./tar-header.js";

/**
 * What the parser wants next: exactly so many bytes; any number of them up to so many; or that so many are passed over.
 * A header is 512 bytes, or the archive's end.
 */
export interface Want {
  kind: "header" | "exactly" | "some" | "skip";
  size: number;
}

/** A parser as a coroutine: it yields what it wants and is resumed with the bytes (none for "skip"). */
export type TarParser = Generator<Want, void, Buffer>;

/** Types by the header's flag. */
const TYPES: Readonly<Record<string, TarType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/** Flags of entries that have no content, whatever size their header states. */
const WITHOUT_CONTENT = "123456";

/** Long names, extended attributes and the map of one entry, in bytes; nobody has more. */
const MAX_EXTENDED = 1 << 20;

const HEADER: Want = { kind: "header", size: BLOCK };
const ONE_BLOCK: Want = { kind: "exactly", size: BLOCK };
const EMPTY = Buffer.alloc(0);

/**
 * Reads a tar archive of any form that is about (v7, ustar, pax, star, GNU with long names and sparse files) and shows
 * its entries to the visitor. Returns at the end mark. Throws Failure on what is malformed or of an unknown type.
 */
export function* parseTar(visitor: TarVisitor): TarParser {
  /** Bytes consumed. */
  let offset = 0;
  const global = noRecords();
  let records = global;
  /** Bytes of extended headers for all entries, and for the next one. */
  const extended = { global: 0, next: 0 };
  for (;;) {
    const block = yield HEADER;
    offset += BLOCK;
    const header = parseHeader(block);
    if (header === undefined) return;
    const { flag, size } = header;
    if (size < 0) throw new Failure(`tar header with the size ${size}`);
    if (isExtended(flag)) {
      extended[flag === "g" ? "global" : "next"] += size;
      const total = extended.global + extended.next;
      if (total > MAX_EXTENDED) throw new Failure(`extended tar headers of ${total} bytes`);
      const padded = size + paddingOf(size);
      const bytes = padded === 0 ? EMPTY : (yield { kind: "exactly", size: padded }).subarray(0, size);
      offset += padded;
      if (flag !== "g" && records === global) records = copy(global);
      if (flag === "L") records.fields.set("path", text(bytes, 0, size));
      else if (flag === "K") records.fields.set("linkpath", text(bytes, 0, size));
      else addRecords(flag === "g" ? global : records, bytes);
    } else {
      offset += yield* entry(header, block, offset, visitor, records);
      records = global;
      extended.next = 0;
    }
  }
}

/** pax headers for one entry and for all that follow, GNU's long names and targets. */
const isExtended = (flag: string): boolean => "xgLK".includes(flag);

/** Shows an entry and reads its content. Returns how many bytes that took. */
function* entry(
  header: TarHeader,
  block: Buffer,
  offset: number,
  visitor: TarVisitor,
  records: PaxRecords,
): Generator<Want, number, Buffer> {
  const { fields, attributes } = records;
  const name = fields.get("GNU.sparse.name") ?? fields.get("path") ?? header.name;
  const type = TYPES[header.flag];
  if (type === undefined)
    throw new Failure(`entry ${quoteBytes(name)}`, { cause: `unknown type ${JSON.stringify(header.flag)}` });

  const field = (key: string, otherwise: number) => {
    const value = fields.get(key);
    return value === undefined ? otherwise : integer(key, value);
  };
  const stored = WITHOUT_CONTENT.includes(header.flag) ? 0 : field("size", header.size);
  const isSparse = header.flag === "S" || records.segments.length > 0 || fields.get("GNU.sparse.major") === "1";
  let taken = 0;
  let sparse: SparseMap | undefined;
  if (isSparse) {
    sparse = header.flag === "S" ? yield* oldSparseMap(block) : yield* paxSparseMap(records, stored);
    taken = sparse.taken;
  }
  const content = header.flag === "S" || !isSparse ? stored : stored - taken;
  const size = sparse?.size ?? stored;
  const segments = sparse?.segments ?? [{ offset: 0, length: stored }];
  if (sparse !== undefined) checkSparse(name, segments, content, size);

  const mtime = fields.get("mtime");
  const wanted = visitor.entry({
    name,
    target: fields.get("linkpath") ?? header.target,
    // Programs older than POSIX mark directories by a slash.
    type: type === "file" && name.endsWith("/") ? "directory" : type,
    mode: header.mode & 0o7777,
    uid: field("uid", header.uid),
    gid: field("gid", header.gid),
    time: mtime === undefined ? { seconds: header.seconds, nanoseconds: 0 } : time("mtime", mtime),
    device: { major: header.major, minor: header.minor },
    attributes,
    size,
    segments,
    offset: offset + taken,
  });
  const padding = paddingOf(content);
  if (wanted) {
    for (const segment of segments) yield* pass(segment, visitor);
    visitor.end();
    if (padding > 0) yield { kind: "skip", size: padding };
  } else if (content > 0) yield { kind: "skip", size: content + padding };
  return taken + content + padding;
}

/** What fills a block's rest after so many bytes. */
const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** Passes a segment's content on in whatever pieces it comes. */
function* pass({ offset, length }: Segment, visitor: TarVisitor): TarParser {
  for (let at = 0; at < length; ) {
    const bytes = yield { kind: "some", size: length - at };
    visitor.content(bytes, offset + at);
    at += bytes.length;
  }
}

interface SparseMap {
  /** The file's length. */
  size: number;
  segments: Segment[];
  /** Bytes of the archive that the map took, after the header. */
  taken: number;
}

/** The map of GNU's old form: four pairs in the header, 21 in each block that follows as long as a flag is set. */
function* oldSparseMap(header: Buffer): Generator<Want, SparseMap, Buffer> {
  const segments: Segment[] = [];
  let taken = 0;
  const add = (block: Buffer, at: number, count: number) => {
    for (let i = 0; i < count; i++, at += 24) {
      if (block[at] === 0) return;
      segments.push({ offset: number(block, at, 12, "offset"), length: number(block, at + 12, 12, "length") });
    }
  };
  add(header, 386, 4);
  const size = number(header, 483, 12, "size");
  for (let more = header[482] !== 0; more; taken += BLOCK) {
    if (taken >= MAX_EXTENDED) throw new Failure("sparse map without an end");
    const block = yield ONE_BLOCK;
    add(block, 0, 21);
    more = block[504] !== 0;
  }
  return { size, segments, taken };
}

/** The map of the pax forms: in the records (0.0, 0.1), or as lines of digits before the content (1.0). */
function* paxSparseMap({ fields, segments }: PaxRecords, stored: number): Generator<Want, SparseMap, Buffer> {
  const key = fields.has("GNU.sparse.realsize") ? "GNU.sparse.realsize" : "GNU.sparse.size";
  const size = integer(key, fields.get(key) ?? "");
  if (fields.get("GNU.sparse.major") !== "1") return { size, segments, taken: 0 };
  const numbers: number[] = [];
  let taken = 0;
  let rest = "";
  while (numbers.length === 0 || numbers.length < 1 + 2 * numbers[0]) {
    if (taken + BLOCK > Math.min(stored, MAX_EXTENDED)) throw new Failure("sparse map longer than its file");
    const lines = (rest + fromBytes(yield ONE_BLOCK)).split("\n");
    rest = lines.pop() as string;
    numbers.push(...lines.map((line) => integer("a sparse map of", line)));
    taken += BLOCK;
  }
  return { size, segments: pairs(numbers.slice(1, 1 + 2 * numbers[0])), taken };
}

function checkSparse(name: ByteText, segments: readonly Segment[], content: number, size: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of segments) {
    if (offset < end) throw new Failure(`entry ${quoteBytes(name)}`, { cause: "its sparse map is out of order" });
    end = offset + length;
    total += length;
  }
  if (end > size || total !== content)
    throw new Failure(`entry ${quoteBytes(name)}`, { cause: "its sparse map does not fit its size" });
}

const copy = ({ fields, attributes, segments }: PaxRecords): PaxRecords => ({
  fields: new Map(fields),
  attributes: new Map(attributes),
  segments: [...segments],
});
