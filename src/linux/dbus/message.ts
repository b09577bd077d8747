import { concat, viewOf } from "../bytes.js";
import { marshal } from "./marshal.js";
import { unmarshal } from "./unmarshal.js";
import type { Value, Variant } from "./value.js";

/** The kinds of messages (D-Bus Specification, "Message Protocol"). */
export const TYPES = { call: 1, return: 2, error: 3, signal: 4 } as const;

/** The fields of a header: their codes and types. */
const FIELDS = {
  path: [1, "o"],
  interface: [2, "s"],
  member: [3, "s"],
  errorName: [4, "s"],
  replySerial: [5, "u"],
  destination: [6, "s"],
  signature: [8, "g"],
} as const;

/** A message. */
export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  /** The call that this is the answer to. */
  readonly replySerial?: number;
  readonly destination?: string;
  /** What the body holds. */
  readonly signature?: string;
  readonly body: readonly Value[];
}

const HEADER = "yyyyuua(yv)";
const LITTLE_ENDIAN = 0x6c;
const VERSION = 1;

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const { type, serial, signature = "", body } = message;
  const content = marshal(signature, body);
  const fields: Value[] = [];
  for (const name in FIELDS) {
    const value = message[name as keyof typeof FIELDS];
    const [code, signature] = FIELDS[name as keyof typeof FIELDS];
    if (value !== undefined && value !== "") fields.push([code, { signature, value }]);
  }
  const header = marshal(HEADER, [LITTLE_ENDIAN, type, 0, VERSION, content.length, serial, fields]);
  return concat([header, new Uint8Array(-header.length & 7), content]);
}

/** How many bytes a header has before its fields: with that, `lengthOf` knows the message's length. */
export const PREFIX = 16;

/** The length of a message that starts with these bytes: they are at least PREFIX. */
export function lengthOf(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  return bodyStart(view) + view.getUint32(4, true);
}

function bodyStart(view: DataView): number {
  const header = PREFIX + view.getUint32(12, true);
  return header + (-header & 7);
}

/** The message that bytes stand for. Throws RangeError where they are none. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes[0] !== LITTLE_ENDIAN || bytes[3] !== VERSION) throw new RangeError("the message is of an unknown format");
  const [, type, , , , serial, fields] = unmarshal(HEADER, bytes) as [0, number, 0, 0, 0, number, [number, Variant][]];
  const known: Record<string, Value> = {};
  for (const name in FIELDS) {
    const field = fields.find(([code]) => code === FIELDS[name as keyof typeof FIELDS][0]);
    if (field !== undefined) known[name] = field[1].value;
  }
  const content = bytes.subarray(bodyStart(viewOf(bytes)));
  return { type, serial, ...known, body: unmarshal((known.signature as string) ?? "", content) };
}
