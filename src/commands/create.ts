import { type Command, InvalidArgumentError, Option } from "commander";
import { create } from "../container/create.js";
import type { CreateOptions } from "../container/options.js";
import { parseFault } from "../init/fault.js";
import { type Globals, globalsOf } from "./globals.js";

export function defineCreate(program: Command): void {
  withCreateOptions(program.command("create").description("create a container, up to its start"))
    .argument("<id>", "the name of the container")
    .action((id: string, options: CreateFlags) => {
      create(createOptions(globalsOf(program), id, options, false));
    });
}

/** The flags of `create` and `run`, as commander gives them. */
export interface CreateFlags {
  bundle: string;
  config?: string;
  consoleSocket?: string;
  pidFile?: string;
  preserveFds: number;
  newKeyring: boolean;
  pivot: boolean;
  pidfdSocket?: string;
  failStep?: string;
}

/** Defines the flags that `create` and `run` share. */
export function withCreateOptions(command: Command): Command {
  return command
    .option("-b, --bundle <directory>", "the bundle: a directory with config.json and the root file system", ".")
    .option("-f, --config <file>", "the config's file, instead of the bundle's config.json")
    .option("--console-socket <path>", "the AF_UNIX socket that takes the terminal's controlling end")
    .option("--pid-file <file>", "the file to write the container's process id to")
    .addOption(preserveFds())
    .option("--pidfd-socket <path>", "the AF_UNIX socket that takes a descriptor of the container's process")
    .option("--no-pivot", "move the root instead of changing it, for a host that runs from a ramdisk")
    .option("--no-new-keyring", "keep the caller's session keyring")
    .option("--fail-step <number:errno>", "make a step of `fdrunc plan` fail, to see what becomes of that");
}

/** What `create` and `run` hand down. */
export function createOptions(globals: Globals, id: string, flags: CreateFlags, foreground: boolean): CreateOptions {
  const { bundle, config, consoleSocket, pidFile, preserveFds, newKeyring, pivot, pidfdSocket, failStep } = flags;
  return {
    root: globals.root,
    rootless: globals.rootless,
    warn: globals.warn,
    ...(globals.note && { note: globals.note }),
    id,
    bundle,
    preserveFds,
    newKeyring,
    pivot,
    foreground,
    cgroupManager: globals.cgroupManager,
    ...(config !== undefined && { config }),
    ...(consoleSocket !== undefined && { consoleSocket }),
    ...(pidfdSocket !== undefined && { pidfdSocket }),
    ...(pidFile !== undefined && { pidFile }),
    ...(failStep !== undefined && { fault: parseFault(failStep) }),
  };
}

export const preserveFds = (): Option =>
  new Option("--preserve-fds <count>", "how many descriptors behind standard error to hand to the container")
    .argParser(parseCount)
    .default(0);

function parseCount(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("not a number of descriptors");
  return Number(text);
}
