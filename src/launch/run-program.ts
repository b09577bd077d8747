import { ffi } from "../ffi/driver.js";
import type { ExecutableFile, Named } from "../init/compile-spawn.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { open, quote, readFile, using } from "../linux/file.js";
import { findProgram } from "../linux/find-program.js";
import { waitFor } from "../linux/process.js";
import { sys } from "../linux/syscall.js";
import { spawn } from "./spawn.js";

/**
 * Runs a program of the host's with no input, and waits for its end.
 *
 * @param name its name, looked up in $PATH
 * @returns what it has put out, on standard output and error
 * @throws Failure where it is not there or fails
 */
export function runProgram(name: string, args: readonly string[]): string {
  const path = findProgram(name);
  if (path === undefined) throw new Failure(quote(name), { cause: "executable file not found in $PATH" });
  const named = { what: quote(name), from: "$PATH" };
  const { output, fate } = runFile(named, { path, args: [name, ...args], env: ffi.environ });
  if (fate !== undefined) throw new Failure([name, ...args].join(" "), { cause: `${fate}: ${output.trim()}` });
  return output;
}

/** What has become of a program that was run. */
export interface Outcome {
  /** What it has put out, on standard output and error. */
  readonly output: string;
  /** How it ended, where it has not succeeded: a phrase. */
  readonly fate?: string;
}

/** Runs a file with no input, and waits for its end. Throws Failure where it cannot be executed. */
export const runFile = (named: Named, executable: ExecutableFile): Outcome =>
  using(open("/dev/null", C.O_RDONLY), (stdin) =>
    using(sys("memfd_create", cstring("fdrunc-output"), C.MFD_CLOEXEC), (stdout) => {
      const ending = waitFor(spawn({ ...named, executable, streams: { stdin, stdout, stderr: stdout } }));
      const output = readFile(`/proc/self/fd/${stdout}`);
      if ("signal" in ending) return { output, fate: `killed by signal ${ending.signal}` };
      return ending.status === 0 ? { output } : { output, fate: `exit status ${ending.status}` };
    }),
  );
