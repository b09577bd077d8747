import type { SignalPipe } from "../launch/signal-pipe.js";
import { C } from "../linux/constants.js";
import { close } from "../linux/file.js";
import { sys } from "../linux/syscall.js";
import { copySize } from "../linux/terminal.js";
import { attend, takeSignals } from "./attend.js";
import { create } from "./create.js";
import { destroy } from "./destroy.js";
import type { CreateOptions } from "./options.js";
import type { Saved } from "./saved.js";
import { startCreated } from "./start.js";
import { NoContainer, type StateDirectory } from "./state-directory.js";

/** What `run` takes beside what `create` takes. */
export interface RunOptions extends CreateOptions {
  /** Whether to leave the container's remains when it has ended. */
  readonly keep: boolean;
  /** Whether to adopt the container's orphans. */
  readonly subreaper: boolean;
}

/**
 * Creates a container and starts it. In the foreground, waits for its end and deletes it.
 *
 * @returns the exit status of its process; 0 for one that goes on in the background
 * @throws Failure; then there is no container
 */
export function run(options: RunOptions): number {
  if (options.subreaper && options.foreground) sys("prctl", C.PR_SET_CHILD_SUBREAPER, 1);
  let signals: SignalPipe | undefined;
  const { saved, directory, terminal } = create(options, () => {
    if (options.foreground) signals = takeSignals();
    return signals;
  });
  // Before anything runs that may ask for it.
  if (terminal !== undefined) copySize(0, terminal);
  try {
    startCreated(directory, saved, options.warn, signals);
  } catch (error) {
    destroy(directory, saved, options.warn);
    throw error;
  }
  // As long as it runs, other commands may have their say.
  directory.unlock();
  if (signals === undefined) return 0;
  try {
    return attend(saved.pid, signals, terminal);
  } finally {
    if (terminal !== undefined) close(terminal);
    if (!options.keep) destroyOnce(directory, saved, options.warn);
  }
}

/** Deletes the container, unless another command has done that. */
export function destroyOnce(directory: StateDirectory, saved: Saved, warn: (message: string) => void): void {
  try {
    directory.lock();
  } catch (error) {
    if (error instanceof NoContainer) return;
    throw error;
  }
  destroy(directory, saved, warn);
}
