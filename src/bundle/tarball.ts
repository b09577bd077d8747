import { randomUUID } from "node:crypto";
import { closeSync, createReadStream, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { posix } from "node:path";
import { addAbortSignal } from "node:stream";
import { Failure } from "../linux/failure.js";
import { type Fd, quote } from "../linux/file.js";
import { toText } from "./byte-text.js";
import { compressionOf, DECOMPRESSORS, MAGIC_LENGTH } from "./decompress.js";
import type { ImageFiles } from "./image-files.js";
import { scanTar } from "./scan-tar.js";
import { isWhole, type TarEntry } from "./tar-entry.js";
import type { Task } from "./task.js";

/** Where in the tarball a file's content lies, or which other file it is; "twice" where its name is there again. */
type Place = { offset: number; size: number } | { target: string } | "twice";

/** How many links a file may be behind. */
const MAX_LINKS = 8;

/** How much is read at once, in bytes. */
const PIECE = 1 << 18;

/** A tarball of an image, read where it lies: what it holds is not copied first. */
export class Tarball implements ImageFiles {
  private constructor(
    private readonly fd: Fd,
    private readonly places: ReadonlyMap<string, Place>,
  ) {}

  /**
   * Opens a tarball and notes what lies where in it. Throws Failure where it is damaged, and errors of node:fs.
   * @param path of the tarball, "-" for standard input
   * @param spool a directory for the content of a tarball that is compressed or comes through a pipe
   */
  static async open(path: string, spool: string, task: Task): Promise<Tarball> {
    let fd = path === "-" ? 0 : openSync(path, "r");
    try {
      const replace = async (pieces: AsyncIterable<Buffer>) => {
        const copy = await spoolTo(spool, pieces, task);
        closeSync(fd);
        fd = copy;
      };
      task.begin("reading the tarball", fstatSync(fd).size);
      if (!fstatSync(fd).isFile()) {
        const stream = path === "-" ? process.stdin : createReadStream("", { fd, autoClose: false });
        await replace(addAbortSignal(task.signal, stream));
      }
      const compression = compressionOf(readPiece(fd, 0, MAGIC_LENGTH));
      if (compression !== undefined)
        await replace(DECOMPRESSORS[compression](pieces(fd, { offset: 0, size: fstatSync(fd).size })));
      const places = new Map<string, Place>();
      scanTar(fd, fstatSync(fd).size, (entry) => note(places, entry));
      return new Tarball(fd, places);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  size(name: string): number | undefined {
    return this.find(name)?.size;
  }

  read(name: string): Iterable<Buffer> {
    const place = this.find(name);
    if (place === undefined) throw new Failure(`no file ${quote(name)}`);
    return pieces(this.fd, place);
  }

  close(): void {
    closeSync(this.fd);
  }

  private find(name: string): { offset: number; size: number } | undefined {
    let place = this.places.get(normalize(name));
    for (let links = 0; place !== undefined && links <= MAX_LINKS; links++) {
      if (place === "twice") throw new Failure(`entry ${quote(name)}`, { cause: "it is there twice" });
      if ("offset" in place) return place;
      place = this.places.get(place.target);
    }
    return undefined;
  }
}

/** Files in an archive by one name each, whatever way it is written. */
const normalize = (name: string): string => posix.join("/", name).slice(1);

/** Notes where an entry's content lies. Directories and what else holds none are passed over, as are sparse files. */
function note(places: Map<string, Place>, entry: TarEntry): void {
  const { type, name, target, offset, size } = entry;
  const key = normalize(toText(name));
  let place: Place;
  if (type === "file" && isWhole(entry)) place = { offset, size };
  else if (type === "link") place = { target: normalize(toText(target)) };
  else if (type === "symlink") place = { target: normalize(posix.join(posix.dirname(key), toText(target))) };
  else return;
  places.set(key, places.has(key) ? "twice" : place);
}

function* pieces(fd: Fd, { offset, size }: { offset: number; size: number }): Generator<Buffer, void> {
  for (let at = 0; at < size; ) {
    const piece = readPiece(fd, offset + at, Math.min(PIECE, size - at));
    if (piece.length === 0) throw new Failure("the file became shorter while it was read");
    yield piece;
    at += piece.length;
  }
}

function readPiece(fd: Fd, offset: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  return bytes.subarray(0, readSync(fd, bytes, 0, size, offset));
}

/** Writes content to a new file that has no name any more. Returns its descriptor. */
async function spoolTo(directory: string, content: AsyncIterable<Buffer>, task: Task): Promise<Fd> {
  const path = posix.join(directory, randomUUID());
  const fd = openSync(path, "wx+", 0o600);
  try {
    rmSync(path, { force: true });
    for await (const piece of content) {
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done);
      await task.advance(piece.length);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
