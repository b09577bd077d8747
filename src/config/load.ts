import type { Config, Resources } from "../generated/config.js";
import { validateConfig, validateResources } from "../generated/validate-config.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile } from "../linux/file.js";
import { member, refused, wrong } from "./explain.js";
import { JsonError, parseJson } from "./json.js";
import { resourcesAreInRange, unifiedKeysAreFiles } from "./rules/resources.js";
import { checkRules } from "./validate.js";

/** Reads and checks a config.json. Throws as `parseConfig` does, and SyscallError when the file cannot be read. */
export const loadConfig = (path: string): Config => parseConfig(path, readFile(path));

/**
 * The configuration that `text`, of the file at `path`, holds. 64-bit integers come as bigint where a number would not
 * hold them. Throws Failure with the file and a JSON path or a line and column.
 */
export function parseConfig(path: string, text: string): Config {
  return parseDocument(path, text, validateConfig, checkRules);
}

/** The resources that `text`, of the file at `path`, holds: linux.resources by itself. Throws as `parseConfig`. */
export const parseResources = (path: string, text: string): Resources =>
  parseDocument(path, text, validateResources, checkResources);

/** Checks resources against the specification's further rules. Throws Failure with the path that they have in a config. */
export function checkResources(resources: Resources): void {
  resourcesAreInRange({ linux: { resources } });
  unifiedKeysAreFiles({ linux: { resources } });
}

/** The configuration that `text` holds, which `parseConfig` has accepted before. */
export const parseChecked = (text: string): Config =>
  // Only a number of so many digits may be one that JSON.parse takes some from.
  hasDigits(text, 16) ? (parseJson(text) as Config) : JSON.parse(text);

/** Whether so many digits stand in a row. Each such row has one at a place that is looked at, and reaches around it. */
function hasDigits(text: string, count: number): boolean {
  for (let at = count - 1; at < text.length; at += count)
    if (isDigit(text.charCodeAt(at)) && new RegExp(`\\d{${count}}`).test(text.slice(at - count + 1, at + count)))
      return true;
  return false;
}

const isDigit = (code: number): boolean => 48 <= code && code <= 57;

/** A JSON document of a type that has a generated validator, checked further by `check`. Throws as `parseConfig`. */
export function parseDocument<T>(
  path: string,
  text: string,
  isValid: (value: unknown) => value is T,
  check: (value: T) => void,
): T {
  try {
    const value = parse(text, isValid);
    if (text.includes("\\u0000")) refuseNul(value, "");
    check(value);
    return value;
  } catch (error) {
    if (error instanceof Failure || error instanceof JsonError) throw new Failure(quote(path), { cause: error });
    throw error;
  }
}

/**
 * Parses by the engine's own JSON.parse, which is fast. It takes digits from large integers and gives no place of
 * errors, but the validators refuse integers that may have lost some: then, as for errors, parseJson goes over the text.
 */
function parse<T>(text: string, isValid: (value: unknown) => value is T): T {
  const quick = parseQuickly(text);
  if (isValid(quick)) return quick;
  const value = parseJson(text);
  if (isValid(value)) return value;
  throw refused(value);
}

function parseQuickly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Texts end up as C strings, which a NUL would cut short. */
function refuseNul(value: unknown, path: string): void {
  if (typeof value === "string" && value.includes("\0")) throw wrong(path, "must not contain a NUL character", value);
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : member(path, key);
    if (key.includes("\0")) throw wrong(at, "must not contain a NUL character");
    refuseNul(item, at);
  }
}
