/**
 * What a test came to. `why` is the error, or the reason to skip; `output` what the test's file has put out so far. An
 * outcome "output" is no test, but what a file has put out otherwise: worth to be shown where a test failed.
 *
 * @typedef {{ outcome: "passed" | "failed" | "skipped" | "output", what: string, why?: string, output?: string }} Result
 */

/** Counts what the tests come to, and says it as it comes: failures at once, what was skipped at the end. */
export class Summary {
  #sum = { passed: 0, failed: 0, skipped: 0 };
  /** Lines "test: reason". */
  #skipped = [];

  /** @param {Result} result */
  take({ outcome, what, why, output = "" }) {
    if (outcome === "output") {
      console.log(`\n${what} has put out:\n${output}`);
      return;
    }
    this.#sum[outcome]++;
    if (outcome === "failed") console.log(`\nFAILED ${what}\n${why}\n${output}`);
    if (outcome === "skipped") this.#skipped.push(`${what}: ${why}`);
  }

  fail(what, why) {
    this.take({ outcome: "failed", what, why });
  }

  skip(what, why) {
    this.take({ outcome: "skipped", what, why });
  }

  /**
   * A part that has its sum told, too.
   *
   * @param {string} name
   * @param {(take: (result: Result) => void) => Promise<void>} run
   */
  async stage(name, run) {
    const before = { ...this.#sum };
    await run((result) => this.take({ ...result, what: `${name} ${result.what}` }));
    const [passed, failed, skipped] = Object.keys(before).map((key) => this.#sum[key] - before[key]);
    console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  }

  /** Prints what was skipped and, as the last line, the sum. Returns the exit status. */
  finish() {
    for (const line of this.#skipped) console.log(`skipped: ${line}`);
    const { passed, failed, skipped } = this.#sum;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    return failed === 0 ? 0 : 1;
  }
}
