import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { checkDigest, type Digest } from "./digest.js";
import { JsonNode } from "./json-node.js";

/** The files that an image lies in, wherever those are: of a tarball, of a directory. Names are relative paths. */
export interface ImageFiles {
  /** A file's size in bytes; undefined where there is none. Throws Failure where it is not clear which it is. */
  size(name: string): number | undefined;
  /** A file's content, in pieces of any size. Throws Failure where there is no such file. */
  read(name: string): Iterable<Buffer>;
  close(): void;
}

/** No manifest or configuration is as long; engines have limits like it. */
const MAX_DOCUMENT = 8 << 20;

/** What a document has to be, as far as that is known: a descriptor, or a digest alone. */
export interface Expected {
  digest: Digest;
  size?: number;
}

/** A JSON document of an image, checked before it is parsed. Throws Failure. */
export function readDocument(files: ImageFiles, name: string, expected?: Expected): JsonNode {
  const size = files.size(name);
  if (size === undefined) throw new Failure(`no file ${quote(name)}`);
  if (size > MAX_DOCUMENT) throw new Failure(quote(name), { cause: `${size} bytes are too long for a document` });
  checkSize(name, size, expected?.size);
  const bytes = Buffer.concat([...files.read(name)]);
  if (expected !== undefined) checkDigest(bytes, expected.digest, quote(name));
  try {
    return new JsonNode(JSON.parse(bytes.toString()), `${quote(name)}: $`);
  } catch (cause) {
    throw new Failure(quote(name), { cause });
  }
}

/** Throws Failure where a file is not of the size that its descriptor states. */
export function checkSize(name: string, actual: number, stated: number | undefined): void {
  if (stated !== undefined && stated !== actual)
    throw new Failure(quote(name), { cause: `its size is ${actual} bytes, not ${stated}` });
}
