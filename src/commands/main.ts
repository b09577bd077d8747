import { Command, CommanderError } from "commander";
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

/** Runs fdrunc on the process's command line, and ends the process with the command's exit status. */
export function main(): never {
  reserveStandardStreams();
  try {
    PROGRAM.parse(withTwoDashes(ffi.argv.slice(1)), { from: "user" });
    ffi.exit(0);
  } catch (error) {
    ffi.exit(report(error));
  }
}

/** The long options of all commands. */
const LONG = new Set([PROGRAM, ...PROGRAM.commands].flatMap(({ options }) => options.map(({ long }) => long)));

/** Callers that know Go's flags write long ones with one dash, too: "-bundle" for "--bundle". */
const withTwoDashes = (args: readonly string[]): string[] =>
  args.map((arg) => (/^-[^-]/.test(arg) && LONG.has(`-${arg.replace(/=.*/s, "")}`) ? `-${arg}` : arg));

/** Tells of an error, on standard error and in the log. Returns the exit status. */
function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const message = messageOf(error, "fdrunc");
  globalsOf(PROGRAM).log("error", message);
  printError(`fdrunc: ${message}\n`);
  return error instanceof Failure ? error.status : 1;
}
