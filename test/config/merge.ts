/** `base` with the members of `part` in place of its own, objects member by member; undefined takes a member away. */
export function merge<T>(base: T, part: object): T {
  const merged: Record<string, unknown> = { ...(base as object) };
  for (const [key, value] of Object.entries(part)) {
    if (value === undefined) delete merged[key];
    else merged[key] = isPlain(value) && isPlain(merged[key]) ? merge(merged[key], value) : value;
  }
  return merged as T;
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
