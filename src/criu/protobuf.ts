import { ffi } from "../ffi/driver.js";
import { concat } from "../linux/bytes.js";

/** A field of a message: its number, and what it holds. */
export type Field = readonly [number: number, holds: "number" | "boolean" | "text" | Message];

/** A kind of message: its fields by name. */
export interface Message {
  readonly [name: string]: Field;
}

/** A message's content, to be sent: absent fields are left out, a list is a field that is repeated. */
export interface Content {
  readonly [name: string]: Value | readonly Value[] | undefined;
}
type Value = number | boolean | string | Content;

/** A message's content as it was received. Of a field that is repeated it has the last. */
export type Received<M extends Message> = {
  readonly [Name in keyof M]?: M[Name][1] extends "number"
    ? number
    : M[Name][1] extends "boolean"
      ? boolean
      : M[Name][1] extends "text"
        ? string
        : M[Name][1] extends Message
          ? Received<M[Name][1]>
          : never;
};

/** Protocol Buffers' wire types that are used here: a number of variable length, and a length with so many bytes. */
const [VARINT, BYTES] = [0, 2];

/** A message in Protocol Buffers' wire format (protobuf.dev, "Encoding"). Numbers must not be negative. */
export function encode(message: Message, content: Content): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const name in content) {
    const [number, holds] = message[name];
    const given = content[name];
    const values = Array.isArray(given) ? given : given === undefined ? [] : [given];
    for (const value of values as Value[]) {
      if (typeof value === "number" || typeof value === "boolean")
        parts.push(varint(number * 8 + VARINT), varint(Number(value)));
      else {
        const bytes = typeof value === "string" ? ffi.encode(value) : encode(holds as Message, value);
        parts.push(varint(number * 8 + BYTES), varint(bytes.length), bytes);
      }
    }
  }
  return concat(parts);
}

/** Seven bits a byte, the lowest first; all but the last have the eighth bit set. */
function varint(number: number): Uint8Array {
  const bytes: number[] = [];
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return new Uint8Array([...bytes, rest]);
}

/** Takes a message apart; fields that `message` does not have are passed over. Throws RangeError where it is none. */
export function decode<M extends Message>(message: M, bytes: Uint8Array): Received<M> {
  const names = new Map(Object.keys(message).map((name) => [message[name][0], name]));
  const content: Record<string, unknown> = {};
  let at = 0;
  const next = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new RangeError("not a message of Protocol Buffers");
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const name = names.get(tag >> 3);
    const holds = name === undefined ? undefined : message[name][1];
    const number = next();
    let value: unknown = holds === "boolean" ? number !== 0 : number;
    if ((tag & 7) === BYTES) {
      if (number < 0 || at + number > bytes.length) throw new RangeError("not a whole message of Protocol Buffers");
      const part = bytes.subarray(at, at + number);
      at += number;
      value = typeof holds === "object" ? decode(holds, part) : ffi.decode(part);
    } else if ((tag & 7) !== VARINT) throw new RangeError("not a message of Protocol Buffers");
    if (name !== undefined) content[name] = value;
  }
  return content as Received<M>;
}
