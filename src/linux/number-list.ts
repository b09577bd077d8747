import { words } from "./bytes.js";

/**
 * The bits that a list such as "0-3,7" names, the format of cpuset(7). Undefined where it is none, or names a number
 * that is not below `limit`.
 */
export function parseNumberList(list: string, limit: number): bigint | undefined {
  let bits = 0n;
  for (const part of list.split(",")) {
    const [, first, last = first] = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to < limit)) return undefined;
    bits |= ((1n << BigInt(to - from + 1)) - 1n) << BigInt(from);
  }
  return bits;
}

/** Bits as a mask of 64-bit words, the lowest first, as the kernel takes CPUs and memory nodes. */
export function maskOf(bits: bigint): Uint8Array {
  const mask: bigint[] = [];
  for (let rest = bits; rest > 0n; rest >>= 64n) mask.push(BigInt.asUintN(64, rest));
  return words(...mask);
}
