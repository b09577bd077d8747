import type { Config } from "../generated/config.js";
import { validateConfig } from "../generated/validate-config.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile } from "../linux/file.js";
import { member, refused, wrong } from "./explain.js";
import { JsonError, parseJson } from "./json.js";
import { refuseUnsupported } from "./unsupported.js";
import { checkRules } from "./validate.js";

/**
 * Reads and checks a config.json. 64-bit integers come as bigint where a number would not hold them.
 * Throws Failure with file and JSON path, or file, line and column; SyscallError when the file cannot be read.
 */
export function loadConfig(path: string): Config {
  return loadJson(path, validateConfig, (config) => {
    checkRules(config);
    refuseUnsupported(config);
  });
}

/** Reads a JSON file of a type that has a generated validator, and checks it further. Throws as `loadConfig` does. */
export function loadJson<T>(path: string, isValid: (value: unknown) => value is T, check: (value: T) => void): T {
  const text = readFile(path);
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
