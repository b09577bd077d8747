/** What the letters behind a number multiply it by. */
const UNITS = "kmgtp";

/**
 * A number of bytes given as "512", "64m", "1.5 GiB": the letters k, m, g, t and p stand for powers of 1024, with or
 * without "b" or "ib" behind. Undefined where it is no such thing or more than 64 bits hold.
 */
export function parseSize(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (parts === null) return undefined;
  const [, number, unit] = parts;
  const size = Math.floor(Number(number) * 1024 ** (unit === undefined ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1));
  return size < 2 ** 63 ? size : undefined;
}
