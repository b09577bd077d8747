import { Command, CommanderError } from "commander";
import { NUMBER } from "../../config/version.js";
import { ffi } from "../../ffi/driver.js";
import { Failure } from "../../linux/failure.js";
import { sys } from "../../linux/syscall.js";
import { DEFAULT_ROOT } from "../../net/connect.js";
import { messageOf } from "../message-of.js";
import { print, printError } from "../print.js";
import { reserveStandardStreams } from "../reserve-standard-streams.js";
import { COMMANDS } from "./table.js";

/** fdnet's command line. Made once, as the module is loaded: the QuickJS form starts with it in memory. */
const PROGRAM = new Command("fdnet")
  .description("gives containers their networks, by CNI plugins: a hook, and a command")
  .exitOverride()
  .configureOutput({ writeOut: print, writeErr: () => {} })
  .version(`fdnet version ${NUMBER}`, "-v, --version", "print the version")
  .option("--root <directory>", "where is kept what containers have (a tmpfs, best)", DEFAULT_ROOT)
  .option("--networks <directory>", "where CNI configurations describe networks", "/etc/cni/net.d")
  .hook("preAction", requireRoot);
for (const define of COMMANDS) define(PROGRAM);

/** Runs fdnet on the process's command line, and ends the process with the command's exit status. */
export function main(): never {
  reserveStandardStreams();
  try {
    PROGRAM.parse(ffi.argv.slice(1), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) ffi.exit(0);
    printError(`fdnet: ${messageOf(error, "fdnet")}\n`);
    ffi.exit(error instanceof Failure ? error.status : 1);
  }
  ffi.exit(0);
}

function requireRoot(): void {
  if (sys("geteuid") !== 0) throw new Failure("fdnet needs to be root", { hint: "it changes the host's network" });
}
