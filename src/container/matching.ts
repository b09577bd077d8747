import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { GlobalOptions } from "./options.js";
import { NoContainer, StateDirectory } from "./state-directory.js";

/**
 * Does something to every container whose id has a part that a regular expression matches. Throws what the first of
 * them failed with, once all have had their turn; the others' failures are warnings.
 */
export function eachMatching({ root, warn }: GlobalOptions, pattern: string, act: (id: string) => void): void {
  const failures: Failure[] = [];
  const expression = compile(pattern);
  for (const id of StateDirectory.list(root).filter((name) => expression.test(name))) {
    try {
      act(id);
    } catch (error) {
      // One that is gone by now is as good as done.
      if (error instanceof NoContainer) continue;
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  for (const { message } of others) warn(message);
  if (first !== undefined) throw first;
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw new Failure(`--regex ${quote(pattern)}`, { cause: error instanceof Error ? error.message : error });
  }
}
