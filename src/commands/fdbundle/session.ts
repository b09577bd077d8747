import { resolve } from "node:path";
import { isatty } from "node:tty";
import type { Command } from "commander";
import { Progress } from "../../bundle/progress.js";
import { StoreDirectory } from "../../bundle/store-directory.js";
import { Task } from "../../bundle/task.js";
import { Failure } from "../../linux/failure.js";
import { printError } from "../print.js";

/** Where bundles' layers are kept unless told otherwise. */
const DEFAULT_ROOT = "/var/lib/fdbundle";

/** What ends a command early; the status is what shells give for the signal. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** What commands share: the store, and the way to a person. */
export interface Session {
  store: StoreDirectory;
  task: Task;
}

/** Defines the options that all commands have. */
export function defineGlobals(program: Command): void {
  program
    .option("--debug", "tell what is of interest for finding faults")
    .option("--root <directory>", "where layers are kept, and what is known of bundles", DEFAULT_ROOT);
}

/** The store's directory; absolute. */
export const rootOf = (program: Command): string => resolve(program.opts<{ root: string }>().root);

/** Throws Failure for users other than root. */
export function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new Failure("fdbundle needs to be root", { hint: "files keep their owners" });
}

/** Runs a command's work with the options that all commands have. Signals end it; what it made so far goes then. */
export async function inSession(program: Command, work: (session: Session) => Promise<void> | void): Promise<void> {
  requireRoot();
  const { debug } = program.opts<{ debug?: boolean }>();
  const progress = new Progress(isatty(2) ? printError : undefined);
  const tell = (kind: string) => (message: string) => {
    progress.clear();
    printError(`fdbundle: ${kind}: ${message}\n`);
  };
  const interruption = new AbortController();
  for (const [name, number] of Object.entries(SIGNALS))
    process.once(name, () => interruption.abort(new Failure("interrupted", { cause: name, status: 128 + number })));
  const task = new Task(interruption.signal, progress, tell("warning"), debug ? tell("debug") : () => {});
  await work({ store: new StoreDirectory(rootOf(program), task.warn), task });
}
