import { createHash, type Hash } from "node:crypto";
import { Failure } from "../linux/failure.js";

/** A content's digest, "sha256:…" (image-spec, descriptor.md, "Digests"). */
export type Digest = string;

/** The algorithms that the specification registers, with their digests' lengths in hexadecimal digits. */
const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Whether it is a digest of an algorithm that we know. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== "string") return false;
  const [algorithm, hex] = text.split(":");
  return Object.hasOwn(LENGTHS, algorithm) && text === `${algorithm}:${hex}` && isHex(hex, LENGTHS[algorithm]);
}

const isHex = (text: string, length: number): boolean => text.length === length && /^[0-9a-f]+$/.test(text);

/** Computes the digest of content that comes in pieces, by the algorithm of an expected one. */
export class Digester {
  private readonly hash: Hash;
  private readonly algorithm: string;

  constructor(private readonly expected: Digest) {
    this.algorithm = expected.slice(0, expected.indexOf(":"));
    this.hash = createHash(this.algorithm);
  }

  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** To be called once. Throws Failure where the content is not what was expected; `what` names it. */
  check(what: string): void {
    const actual = `${this.algorithm}:${this.hash.digest("hex")}`;
    if (actual !== this.expected) throw new Failure(what, { cause: `its digest is ${actual}, not ${this.expected}` });
  }
}

/** Checks content that is there as a whole. Throws Failure. */
export function checkDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const digester = new Digester(expected);
  digester.update(bytes);
  digester.check(what);
}

/** The SHA-256 digest of a text. */
export const sha256 = (text: string): Digest => `sha256:${createHash("sha256").update(text).digest("hex")}`;
