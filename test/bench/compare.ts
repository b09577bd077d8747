import { setImmediate } from "node:timers/promises";
import type { Case } from "./cases.js";
import type { Place } from "./place.js";
import type { Runtime } from "./runtimes.js";
import { type Summary, summarize } from "./statistics.js";

/** A case's outcome: for each runtime, in their order, a summary for each figure, or why there is none. */
export interface Outcome {
  readonly case: Case;
  readonly results: readonly (readonly Summary[] | string)[];
}

/**
 * Measures a case: once for each runtime in turn, then once more for each, and so on, so that what happens on the
 * machine meanwhile meets them all.
 *
 * @param signal aborts between two measurements; then the reason is thrown
 */
export async function compare(
  place: Place,
  runtimes: readonly Runtime[],
  subject: Case,
  runs: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const contenders = runtimes.map((runtime) => new Contender(place, runtime, subject));
  // A first time fills caches, if there are many to come.
  const rounds = subject.runs ?? runs + 1;
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      contender.measure();
      await setImmediate();
      signal.throwIfAborted();
    }
  }
  return { case: subject, results: contenders.map((contender) => contender.result(rounds - (subject.runs ?? runs))) };
}

/** A runtime at a case. */
class Contender {
  private readonly measureOnce: () => number[];
  /** A list for each measurement: a number for each figure. */
  private readonly samples: number[][] = [];
  /** Why it cannot do it. */
  private refusal: string | undefined;

  constructor(
    private readonly place: Place,
    private readonly runtime: Runtime,
    private readonly subject: Case,
  ) {
    this.measureOnce = subject.prepare(place, runtime);
  }

  measure(): void {
    if (this.refusal !== undefined) return;
    try {
      this.samples.push(this.measureOnce());
    } catch (error) {
      this.refusal = (error as Error).message;
      this.place.clean(this.runtime);
    }
  }

  /** What came out, without the first so many samples. */
  result(skipped: number): readonly Summary[] | string {
    if (this.refusal !== undefined) return this.refusal;
    const samples = this.samples.slice(skipped);
    return this.subject.figures.map((_, i) => summarize(samples.map((figures) => figures[i])));
  }
}
