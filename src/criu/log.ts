import { readFile } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";

/** What comes last when anything fails, and says no more than that it did. */
const SUMMARY = /(FAILED\.?|failed with -?\d+|: No such process)$/;

/** What criu says on every machine that does not let it open more files. */
const HARMLESS = /Can't setup RLIMIT_NOFILE/;

/**
 * The last error in criu's log that tells a cause, without its time and place in criu's sources; undefined where there
 * is none.
 */
export function lastError(path: string): string | undefined {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
  const errors = [...text.matchAll(/Error \([^)]*\): (.*)/g)].map(([, message]) => message.trim());
  const causes = errors.filter((message) => !HARMLESS.test(message));
  return causes.findLast((message) => !SUMMARY.test(message)) ?? causes.at(-1);
}
