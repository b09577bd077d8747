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
