import { ffi } from "../ffi/driver.js";
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
  return using(open("/dev/null", C.O_RDONLY), (stdin) =>
    using(sys("memfd_create", cstring(`fdrunc-${name}`), C.MFD_CLOEXEC), (output) => {
      const executable = { path, args: [name, ...args], env: ffi.environ };
      const ending = waitFor(
        spawn({ what: quote(name), from: "$PATH", executable, streams: { stdin, stdout: output, stderr: output } }),
      );
      const text = readFile(`/proc/self/fd/${output}`);
      if ("status" in ending && ending.status === 0) return text;
      const fate = "signal" in ending ? `killed by signal ${ending.signal}` : `exit status ${ending.status}`;
      throw new Failure([name, ...args].join(" "), { cause: `${fate}: ${text.trim()}` });
    }),
  );
}
