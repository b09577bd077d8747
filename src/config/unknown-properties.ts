import type { Config } from "../generated/config.js";
import { KNOWN_PROPERTIES } from "../generated/known-properties.js";
import { member } from "./explain.js";
import { isObject } from "./refusal.js";

/** The names below a place: an array's items have "[]", a map's values "*"; null stands for anything. */
type Known = { [name: string]: Known } | null;

/** The JSON paths of the properties that the specification does not know, which fdrunc passes over. */
export function unknownProperties(config: Config): string[] {
  const found: string[] = [];
  collect(config, JSON.parse(KNOWN_PROPERTIES), "", found);
  return found;
}

function collect(value: unknown, known: Known | undefined, path: string, found: string[]): void {
  if (known === undefined) found.push(path);
  else if (known === null) return;
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) collect(item, known["[]"], `${path}[${i}]`, found);
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value))
      collect(item, known[Object.hasOwn(known, key) ? key : "*"], member(path, key), found);
  }
}
