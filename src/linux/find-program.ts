import { ffi } from "../ffi/driver.js";
import { cstring } from "./bytes.js";
import { C } from "./constants.js";
import { attempt } from "./syscall.js";

/** The path of a program of the host's that $PATH leads to; undefined where there is none. execvp(3) */
export function findProgram(name: string): string | undefined {
  const path = ffi.environ.find((entry) => entry.startsWith("PATH="))?.slice(5) || DEFAULT_PATH;
  return path
    .split(":")
    .map((directory) => `${directory || "."}/${name}`)
    .find((file) => attempt("faccessat2", C.AT_FDCWD, cstring(file), C.X_OK, C.AT_EACCESS) === 0);
}

/** Where programs are looked for without a $PATH. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
