import type { Option } from "commander";
import { FEATURES, type Feature } from "./features.js";

/** What a test's fdrunc is told and tells, with one feature left out of it. */
export interface Without {
  config<T>(config: T): T;
  args(args: readonly string[]): readonly string[];
  output(text: string): string;
}

/** Leaves out the feature of that name. Throws Error where there is none. */
export function without(name: string): Without {
  const feature = FEATURES.find((known) => known.name === name);
  if (feature === undefined) throw new Error(`FDRUNC_WITHOUT: there is no feature "${name}"`);
  const { paths = [], value, output } = feature;
  return {
    config(config) {
      const changed = structuredClone(config);
      for (const path of paths) remove(changed, steps(path), value);
      return changed;
    },
    args: (args) => withoutArgument(args, feature),
    output(text) {
      const document = output && text.startsWith("{") ? JSON.parse(text) : {};
      const [mark] = output?.command === "state" ? ["id"] : ["ociVersionMin"];
      if (output === undefined || !(mark in document)) return text;
      remove(document, steps(output.path));
      return JSON.stringify(document);
    },
  };
}

const steps = (path: string): string[] => path.match(/\[\]|\{\}|\w+/g) ?? [];

/**
 * Removes a property, or of a list the value; where the value stands alone, the item of a list that it stands in.
 * Returns whether an item that contains `at` is to go.
 */
function remove(at: unknown, [step, ...rest]: readonly string[], value?: string, inItem = false): boolean {
  if (typeof at !== "object" || at === null || step === undefined) return false;
  if (step === "[]" || step === "{}") {
    const going = new Set(Object.values(at).filter((item) => remove(item, rest, value, true)));
    if (Array.isArray(at)) at.splice(0, at.length, ...at.filter((item) => !going.has(item)));
    return false;
  }
  const object = at as Record<string, unknown>;
  const part = object[step];
  if (rest.length > 0) return remove(part, rest, value, inItem);
  if (value !== undefined && Array.isArray(part)) object[step] = part.filter((item) => item !== value);
  else if (value === undefined) delete object[step];
  else if (part === value) {
    if (inItem) return true;
    delete object[step];
  }
  return false;
}

const COMMANDS = new Set(FEATURES.map(({ command }) => command));

/** The options of a command, or without one of all commands, that have a value. */
const valued = (command: string | undefined): Set<string | undefined> =>
  new Set(
    FEATURES.filter((other) => other.command === command && other.option?.required).flatMap(({ option }) => [
      option?.short,
      option?.long,
    ]),
  );

/** A command line without an option and its value; in place of a command something that does nothing. */
function withoutArgument(args: readonly string[], { command, option }: Feature): readonly string[] {
  const place = args.findIndex((arg) => COMMANDS.has(arg));
  const isOf = command !== undefined && args[place] === command;
  if (option === undefined) return isOf ? ["--version"] : args;
  const from = command === undefined ? 0 : place + 1;
  const to = command === undefined ? place : args.length;
  if (command !== undefined && !isOf) return args;
  return [...args.slice(0, from), ...withoutOption(args.slice(from, to), option, valued(command)), ...args.slice(to)];
}

/** Up to the second word that is no option, nor an option's value: from there on they may be another program's. */
function withoutOption(args: readonly string[], option: Option, withValues: Set<string | undefined>): string[] {
  const kept: string[] = [];
  let words = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const isOption = words < 2 && arg.startsWith("-");
    const count = isOption && withValues.has(arg) ? 2 : 1;
    const isIt = isOption && [option.short, option.long].includes(arg.replace(/=.*/s, ""));
    if (!isIt) kept.push(...args.slice(i, i + count));
    if (!isOption) words++;
    i += count - 1;
  }
  return kept;
}
