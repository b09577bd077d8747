/**
 * The run-time part of the generated validators. They return whether a value complies; when it does not, they leave
 * here what was expected and where, put together from the inside out while they return.
 */

/** What the last validator that returned false found: a JSON pointer, and what should be there, "a string". */
export const refusal: { path: string; expected: string } = { path: "", expected: "" };

/** Takes down that the value at `path` should be `expected`, text or the list of the possible values. */
export function refuse(path: string, expected: string | readonly string[]): false {
  refusal.path = path;
  refusal.expected = typeof expected === "string" ? expected : `one of ${expected.join(", ")}`;
  return false;
}

/** Takes down that what was refused lies below `path`. */
export function at(path: string): false {
  refusal.path = path + refusal.path;
  return false;
}

export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is an exact integer of the range; numbers beyond the safe ones have lost digits and are not. */
export const isInteger = (value: unknown, min: number | bigint, max: number | bigint): boolean =>
  (typeof value === "bigint" || Number.isSafeInteger(value)) && (value as number) >= min && (value as number) <= max;
