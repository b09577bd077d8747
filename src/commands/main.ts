import { Command, CommanderError } from "commander";
import { ffi } from "../ffi/driver.js";
import { Failure } from "../linux/failure.js";
import { defineGlobals, globalsOf } from "./globals.js";
import { print, printError } from "./print.js";
import { reserveStandardStreams } from "./reserve-standard-streams.js";
import { COMMANDS } from "./table.js";
import { VERSION } from "./version.js";

/** Runs fdrunc on the process's command line, and ends the process with the command's exit status. */
export function main(): never {
  reserveStandardStreams();
  const args = ffi.argv.slice(1);
  const program = new Command("fdrunc");
  try {
    program.description("OCI container runtime: runs bundles by compiled system call programs");
    program.exitOverride().configureOutput({ writeOut: print, writeErr: () => {} });
    program.version(VERSION, "-v, --version", "print the version");
    defineGlobals(program);
    const called = calledCommand(args);
    // Defining a command costs more than running most of them: only help needs them all.
    const names = called === undefined ? Object.keys(COMMANDS) : [called];
    for (const name of names) COMMANDS[name](program);
    program.parse(withTwoDashes(args, program), { from: "user" });
    ffi.exit(0);
  } catch (error) {
    ffi.exit(report(error, program));
  }
}

/** Global options that take a value in the next argument. */
const VALUED = new Set(["--root", "--log", "--log-format", "--cgroup-manager", "--rootless"]);

/** The command that a command line names, if it is one. */
function calledCommand(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (!arg.startsWith("-")) return Object.hasOwn(COMMANDS, arg) ? arg : undefined;
    if (VALUED.has(arg) || VALUED.has(`-${arg}`)) i++;
  }
  return undefined;
}

/** Callers that know Go's flags write long ones with one dash, too: "-bundle" for "--bundle". */
function withTwoDashes(args: readonly string[], program: Command): string[] {
  const known = new Set([program, ...program.commands].flatMap(({ options }) => options.map(({ long }) => long)));
  return args.map((arg) => (/^-[^-]/.test(arg) && known.has(`-${arg.replace(/=.*/s, "")}`) ? `-${arg}` : arg));
}

/** Tells of an error, on standard error and in the log. Returns the exit status. */
function report(error: unknown, program: Command): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const message = messageOf(error);
  globalsOf(program).log("error", message);
  printError(`fdrunc: ${message}\n`);
  return error instanceof Failure ? error.status : 1;
}

function messageOf(error: unknown): string {
  if (error instanceof CommanderError)
    return error.code === "commander.help"
      ? "no command given (see fdrunc --help)"
      : error.message.replace(/^error: /, "");
  if (!(error instanceof Error)) return String(error);
  // Anything but a Failure or a system call's error is a fault of fdrunc's own: its place helps.
  const isTold = error instanceof Failure || error.name === "SyscallError";
  return (isTold ? error.message : `internal error: ${error.message} ${error.stack ?? ""}`).replace(/\s*\n\s*/g, " ");
}
