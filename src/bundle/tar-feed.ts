import { Failure } from "../linux/failure.js";
import { parseTar, type TarParser, type Want } from "./parse-tar.js";
import type { TarVisitor } from "./tar-entry.js";

/** Parses a tar archive that comes in pieces of any size. What follows its end mark is passed over. */
export class TarFeed {
  private readonly parser: TarParser;
  private want: Want | undefined;
  /** What is there of a block that lies across pieces. */
  private part: Buffer = EMPTY;
  private consumed = 0;

  constructor(visitor: TarVisitor) {
    this.parser = parseTar(visitor);
    this.resume(EMPTY);
  }

  /** Takes the next piece; its bytes are not needed after the call. Throws Failure, and what the visitor throws. */
  write(piece: Buffer): void {
    for (let at = 0; at < piece.length && this.want !== undefined; ) at += this.take(piece.subarray(at), this.want);
    this.consumed += piece.length;
  }

  /** No further piece comes. Throws Failure where that is in the middle of an entry. */
  end(): void {
    if (this.want === undefined || (this.want.kind === "header" && this.part.length === 0)) return;
    throw cutShort(this.consumed);
  }

  /** Gives the parser what it wants of the bytes. Returns how many those were. */
  private take(bytes: Buffer, want: Want): number {
    if (want.kind === "skip") {
      const count = Math.min(want.size, bytes.length);
      if (count === want.size) this.resume(EMPTY);
      else this.want = { kind: "skip", size: want.size - count };
      return count;
    }
    if (want.kind === "some") {
      const part = bytes.subarray(0, want.size);
      this.resume(part);
      return part.length;
    }
    const part = bytes.subarray(0, want.size - this.part.length);
    const whole = this.part.length === 0 ? part : Buffer.concat([this.part, part]);
    if (whole.length === want.size) {
      this.part = EMPTY;
      this.resume(whole);
    } else this.part = Buffer.from(whole);
    return part.length;
  }

  private resume(bytes: Buffer): void {
    const { done, value } = this.parser.next(bytes);
    this.want = done ? undefined : value;
  }
}

const EMPTY = Buffer.alloc(0);

/** A tar archive that ended too early. */
export const cutShort = (bytes: number): Failure => new Failure(`cut short after ${bytes} bytes`);
