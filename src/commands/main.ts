import { Command, CommanderError, type Option } from "commander";
import { ffi } from "../ffi/driver.js";
import { Failure } from "../linux/failure.js";
import { defineGlobals, globalsOf } from "./globals.js";
import { messageOf } from "./message-of.js";
import { print, printError } from "./print.js";
import { reserveStandardStreams } from "./reserve-standard-streams.js";
import { COMMANDS } from "./table.js";
import { VERSION } from "./version.js";

/** fdrunc's command line. Made once, as the module is loaded: the QuickJS form starts with it in memory. */
const PROGRAM = new Command("fdrunc")
  .description("OCI container runtime: runs bundles by compiled system call programs")
  .exitOverride()
  // "--rootless" is one thing before a command's name and another behind it.
  .enablePositionalOptions()
  .configureOutput({ writeOut: print, writeErr: () => {} })
  .version(VERSION, "-v, --version", "print the version");
defineGlobals(PROGRAM);
for (const define of COMMANDS) define(PROGRAM);
for (const command of [PROGRAM, ...PROGRAM.commands]) {
  // Commander would make this one on each run.
  command.helpOption("-h, --help", "display help for command");
  // It would look for options that are set by the environment or by other options, of which there are none.
  Object.assign(command, { _parseOptionsEnv() {}, _parseOptionsImplied() {} });
  // It works an option's name out each time that it asks for it, some forty times in a command.
  for (const option of command.options) {
    const name = option.attributeName();
    option.attributeName = () => name;
  }
}

const BY_NAME = new Map(PROGRAM.commands.map((command) => [command.name(), command]));

/** By command, and for the time before one is named: its options and those that all have, by what they are called. */
const OPTIONS = new Map(
  [undefined, ...PROGRAM.commands].map((command) => [
    command,
    new Map(
      [...PROGRAM.options, ...(command?.options ?? [])].flatMap((option): [string | undefined, Option][] => [
        [option.short, option],
        [option.long, option],
      ]),
    ),
  ]),
);

/** Runs fdrunc on the process's command line, and ends the process with the command's exit status. */
export function main(): never {
  reserveStandardStreams();
  try {
    PROGRAM.parse(understood(ffi.argv.slice(1)), { from: "user" });
    ffi.exit(0);
  } catch (error) {
    ffi.exit(report(error));
  }
}

/**
 * The arguments as commander is to see them. Callers that know Go's flags write long ones with one dash, too: "-bundle"
 * for "--bundle". What follows the id in a command that passes arguments on is no option of ours.
 */
function understood(args: readonly string[]): string[] {
  const read: string[] = [];
  let command: Command | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") return [...read, ...args.slice(i)];
    if (arg.startsWith("-") && arg !== "-") {
      const options = OPTIONS.get(command) ?? new Map<string, Option>();
      const name = arg.split("=", 1)[0];
      const long = options.has(`-${name}`) && !options.has(name) ? "-" : "";
      read.push(long + arg);
      if (name === arg && options.get(long + name)?.required && i + 1 < args.length) read.push(args[++i]);
    } else if (command === undefined) {
      command = BY_NAME.get(arg);
      read.push(arg);
    } else if (command.registeredArguments.at(-1)?.variadic) return [...read, ...args.slice(i)];
    else read.push(arg);
  }
  return read;
}

/** Tells of an error, on standard error and in the log. Returns the exit status. */
function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const message = messageOf(error, "fdrunc");
  globalsOf(PROGRAM).log("error", message);
  printError(`fdrunc: ${message}\n`);
  return error instanceof Failure ? error.status : 1;
}
