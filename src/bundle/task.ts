import { setImmediate } from "node:timers/promises";
import type { Progress } from "./progress.js";

/** What long work needs of whoever ordered it. */
export class Task {
  /**
   * @param signal aborted to end the work; its reason is what is thrown then
   * @param warn takes lines that a person should see
   * @param debug takes lines for finding faults
   */
  constructor(
    readonly signal: AbortSignal,
    private readonly progress: Progress,
    readonly warn: (message: string) => void,
    readonly debug: (message: string) => void,
  ) {}

  /** Begins a stage of the work that goes through so many bytes; `what` says it to a person: "unpacking layer 1 of 2". */
  begin(what: string, bytes: number): void {
    this.progress.begin(what, bytes);
  }

  /** Ends the last stage: there is nothing to show any more. */
  end(): void {
    this.progress.clear();
  }

  /** To be awaited between pieces of work: lets signals in. Throws where the work shall end. */
  async advance(bytes: number): Promise<void> {
    this.progress.advance(bytes);
    await setImmediate();
    this.signal.throwIfAborted();
  }
}
