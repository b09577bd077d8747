import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { ZSTDDecoder } from "zstddec/stream";
import { Failure } from "../linux/failure.js";

/** Turns compressed content, piece by piece, into what it was. Throws Failure where it is damaged. */
export type Decompressor = (pieces: Iterable<Buffer>) => AsyncIterable<Buffer>;

/** How content is compressed. */
export type Compression = "gzip" | "zstd";

/** How much of its content shows how something is compressed, in bytes. */
export const MAGIC_LENGTH = 4;

/** What the first bytes tell of how content is compressed; undefined where it is not, in any way that we know. */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start.length < MAGIC_LENGTH) return undefined;
  const magic = start.readUInt32LE(0);
  if ((magic & 0xffff) === 0x8b1f) return "gzip";
  // A zstd frame, or one that decoders skip.
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? "zstd" : undefined;
}

export const DECOMPRESSORS: Readonly<Record<Compression, Decompressor>> = { gzip: gunzip, zstd: unzstd };

/** Inflates on a thread of zlib's, beside what is done with the content. */
async function* gunzip(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void> {
  const inflating = createGunzip({ chunkSize: 1 << 18 });
  pipeline(Readable.from(pieces, { highWaterMark: 1 }), inflating, () => {
    // The reader below learns of errors as well.
  });
  try {
    yield* inflating;
  } catch (error) {
    throw isOfReading(error) ? error : new Failure("gzip data", { cause: error });
  }
}

async function* unzstd(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void> {
  const decoder = new ZSTDDecoder();
  await decoder.init();
  let length = 0;
  /** Parts without content that came out of the current piece. */
  let empty = 0;
  function* counted(): Generator<Buffer, void> {
    for (const piece of pieces) {
      length = piece.length;
      empty = 0;
      yield piece;
    }
  }
  try {
    for (const part of decoder.decodeStreaming(counted())) {
      if (part.length > 0) yield Buffer.from(part.buffer, part.byteOffset, part.length);
      // The decoder tries again for ever where its library reports an error. A step that works takes a byte or gives one.
      else if (++empty > length) throw new Error("it is damaged");
    }
  } catch (error) {
    throw isOfReading(error) ? error : new Failure("zstd data", { cause: error });
  }
}

/** Whether an error came from what gives the compressed content, not from decompressing it. */
const isOfReading = (error: unknown): boolean => error instanceof Failure || "syscall" in (error as Error);
