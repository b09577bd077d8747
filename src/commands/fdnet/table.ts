import type { Command } from "commander";
import { defineDown } from "./down.js";
import { defineGc } from "./gc.js";
import { defineInspect } from "./inspect.js";
import { defineLs } from "./ls.js";
import { defineUp } from "./up.js";

/** The commands: what defines each of them in commander's program, in the order of the help. */
export const COMMANDS: readonly ((program: Command) => void)[] = [
  defineUp,
  defineDown,
  defineLs,
  defineInspect,
  defineGc,
];
