/**
 * A value as D-Bus types it (D-Bus Specification, "Type System"): numbers, booleans, strings; bigints for x and t, which
 * may be written as numbers; lists for arrays and structs, and for a dictionary's entries, pairs of key and value.
 */
export type Value = number | bigint | boolean | string | Variant | readonly Value[];

/** A value that carries its type. */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** The complete types of a signature: of "sa(sv)u", they are "s", "a(sv)" and "u". Throws RangeError where it is none. */
export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

const BASIC = "ybnqiuxtdsogvh";
const CLOSING: Record<string, string> = { "(": ")", "{": "}" };

/** Where the complete type that starts at `at` ends. */
function endOfType(signature: string, at: number): number {
  const code = signature[at] ?? "";
  if (code === "a") return endOfType(signature, at + 1);
  const closing = CLOSING[code];
  if (closing === undefined) {
    if (code === "" || !BASIC.includes(code)) throw new RangeError(`"${signature}" is no D-Bus signature`);
    return at + 1;
  }
  let end = at + 1;
  while (signature[end] !== closing) end = endOfType(signature, end);
  return end + 1;
}

/** The types inside of a struct or a dictionary's entry. */
export const fieldsOf = (type: string): string[] => typesOf(type.slice(1, -1));

/** The multiple of bytes at which a type starts. */
export const alignmentOf = (type: string): number => ALIGNMENT[type[0] as string];

const ALIGNMENT: Record<string, number> = {
  ...{ y: 1, g: 1, v: 1 },
  ...{ n: 2, q: 2 },
  ...{ b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, h: 4 },
  ...{ x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

/** Numbers of a fixed size: how a view writes and reads them. */
export const FIXED: Record<
  string,
  { size: number; set: (view: DataView, at: number, value: Value) => void; get: (view: DataView, at: number) => Value }
> = {
  y: { size: 1, set: (v, at, x) => v.setUint8(at, Number(x)), get: (v, at) => v.getUint8(at) },
  b: { size: 4, set: (v, at, x) => v.setUint32(at, x ? 1 : 0, true), get: (v, at) => v.getUint32(at, true) !== 0 },
  n: { size: 2, set: (v, at, x) => v.setInt16(at, Number(x), true), get: (v, at) => v.getInt16(at, true) },
  q: { size: 2, set: (v, at, x) => v.setUint16(at, Number(x), true), get: (v, at) => v.getUint16(at, true) },
  i: { size: 4, set: (v, at, x) => v.setInt32(at, Number(x), true), get: (v, at) => v.getInt32(at, true) },
  u: { size: 4, set: (v, at, x) => v.setUint32(at, Number(x), true), get: (v, at) => v.getUint32(at, true) },
  x: {
    size: 8,
    set: (v, at, x) => v.setBigInt64(at, BigInt(x as bigint), true),
    get: (v, at) => v.getBigInt64(at, true),
  },
  t: {
    size: 8,
    set: (v, at, x) => v.setBigUint64(at, BigInt(x as bigint), true),
    get: (v, at) => v.getBigUint64(at, true),
  },
  d: { size: 8, set: (v, at, x) => v.setFloat64(at, Number(x), true), get: (v, at) => v.getFloat64(at, true) },
};
