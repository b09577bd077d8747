import { Command, CommanderError } from "commander";
import { causeOf } from "../../bundle/cause.js";
import { NUMBER } from "../../config/version.js";
import { ffi } from "../../ffi/driver.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";
import { messageOf } from "../message-of.js";
import { print, printError } from "../print.js";
import { reserveStandardStreams } from "../reserve-standard-streams.js";
import { defineCheck } from "./check.js";
import { defineDu } from "./du.js";
import { defineFromTar } from "./from-tar.js";
import { defineGc } from "./gc.js";
import { defineInspect } from "./inspect.js";
import { defineLs } from "./ls.js";
import { defineMount } from "./mount.js";
import { defineRm } from "./rm.js";
import { defineGlobals } from "./session.js";
import { defineStore } from "./store.js";
import { defineUnmount } from "./unmount.js";
import { defineVolume } from "./volume.js";

const COMMANDS = [
  ...[defineCheck, defineDu, defineFromTar, defineGc, defineInspect, defineLs],
  ...[defineMount, defineRm, defineStore, defineUnmount, defineVolume],
];

/** Runs fdbundle on the process's command line, and ends the process with the command's exit status. */
export async function main(): Promise<never> {
  reserveStandardStreams();
  try {
    const program = new Command("fdbundle")
      .description("turns image tarballs into bundles for OCI runtimes")
      .exitOverride()
      .configureOutput({ writeOut: print, writeErr: () => {} })
      .version(`fdbundle version ${NUMBER}`, "--version", "print the version");
    defineGlobals(program);
    for (const define of COMMANDS) define(program);
    await program.parseAsync(ffi.argv.slice(1), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) ffi.exit(0);
    printError(`fdbundle: ${messageOf(byPath(error), "fdbundle")}\n`);
    ffi.exit(error instanceof Failure ? error.status : 1);
  }
  ffi.exit(0);
}

/** An error of node:fs as others are told: first the path, then what was done and the cause. */
function byPath(error: unknown): unknown {
  const { path } = error as NodeJS.ErrnoException;
  const cause = causeOf(error);
  return cause === error || path === undefined ? error : new Failure(quote(path), { cause });
}
