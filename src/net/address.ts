import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { Family } from "./iptables.js";

/** An address of the internet protocol: 4 or 16 bytes. */
export interface Address {
  readonly family: Family;
  readonly bytes: readonly number[];
}

/** An address as text, "10.0.0.1" or "fd00::1". Returns undefined where it is none. RFC 4291, section 2.2 */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(":")) {
    const bytes = parseIPv4(text);
    return bytes && { family: 4, bytes };
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const before = parseGroups(halves[0], halves.length === 1);
  const after = parseGroups(halves[1] ?? "", true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return { family: 6, bytes: [...before, ...Array<number>(missing).fill(0), ...after] };
}

function parseIPv4(text: string): number[] | undefined {
  const bytes = text.split(".").map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return bytes.length === 4 && bytes.every((byte) => byte < 256) ? bytes : undefined;
}

/** Groups of hexadecimal digits as bytes; at the address's end there may be an IPv4 address. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  const groups = text === "" ? [] : text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    const last = atEnd && i === groups.length - 1 ? parseIPv4(group) : undefined;
    if (last !== undefined) bytes.push(...last);
    else if (/^[0-9a-f]{1,4}$/i.test(group))
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff);
    else return undefined;
  }
  return bytes;
}

/** Whether an address leads to the machine that uses it: 127.0.0.0/8, ::1. */
export const isLoopback = ({ family, bytes }: Address): boolean =>
  family === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));

/** A network's addresses: those that begin with as many bits of one of them. */
export interface Subnet {
  readonly address: Address;
  readonly length: number;
}

/** A network such as "10.0.0.0/24". Throws Failure, which names the flag, where the text is none. */
export function parseSubnet(text: string): Subnet {
  const [, address, length] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const parsed = address === undefined ? undefined : parseAddress(address);
  if (parsed === undefined || Number(length) > parsed.bytes.length * 8)
    throw new Failure(`--subnet: ${quote(text)}`, { cause: "not of the form ADDRESS/LENGTH" });
  if (parsed.bytes.some((byte, i) => (byte & ~maskOf(Number(length), i)) !== 0))
    throw new Failure(`--subnet: ${quote(text)}`, { cause: `there are bits set behind the first ${length}` });
  return { address: parsed, length: Number(length) };
}

/** The byte at an index of a mask of as many bits. */
const maskOf = (length: number, index: number): number => 0xff ^ (0xff >> Math.min(8, Math.max(0, length - index * 8)));

/** Whether two networks have addresses in common. */
export function overlap(a: Subnet, b: Subnet): boolean {
  const length = Math.min(a.length, b.length);
  const isSame = (byte: number, i: number) => ((byte ^ b.address.bytes[i]) & maskOf(length, i)) === 0;
  return a.address.family === b.address.family && a.address.bytes.every(isSame);
}

/** Checks an address that a flag asks for. Throws Failure. */
export function requireAddress(flag: string, text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Failure(`--${flag}: ${quote(text)}`, { cause: "not an address" });
  return parsed;
}
