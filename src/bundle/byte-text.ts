/**
 * Names and attributes in archives are bytes of no known encoding. Here they are strings with a byte a character
 * (latin1), which compare, split and serve as keys like text and lose nothing.
 */
export type ByteText = string;

export const fromBytes = (bytes: Buffer, start?: number, end?: number): ByteText =>
  bytes.toString("latin1", start, end);

export const toBytes = (text: ByteText): Buffer => Buffer.from(text, "latin1");

/** The bytes followed by NUL, for system calls. */
export const toCstring = (text: ByteText | Buffer): Buffer =>
  typeof text === "string" ? Buffer.from(`${text}\0`, "latin1") : Buffer.concat([text, NUL]);

const NUL = Buffer.alloc(1);

/** As text for a person: UTF-8, as it mostly is. */
export const toText = (text: ByteText): string => toBytes(text).toString();

/** More of a name than this, in bytes, helps nobody who reads a message. */
const MAX_QUOTED = 256;

/** As it stands in messages: in double quotes, control characters escaped, and cut where it is long. */
export const quoteBytes = (text: ByteText): string =>
  text.length <= MAX_QUOTED ? JSON.stringify(toText(text)) : JSON.stringify(`${toText(text.slice(0, MAX_QUOTED))}…`);
