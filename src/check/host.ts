import { ffi } from "../ffi/driver.js";
import { runFile } from "../launch/run-program.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { listDirectory, quote, readFile } from "../linux/file.js";
import { findProgram } from "../linux/find-program.js";
import { inUserNamespace } from "../linux/in-user-namespace.js";
import { attempt, SyscallError, sys } from "../linux/syscall.js";

/** What checks see of the machine and of who calls. */
export interface Host {
  readonly uid: number;
  /** Whether the caller is root over the whole machine. */
  readonly privileged: boolean;
  readonly home: string;
  /** A file's text; undefined where it is not there or not to be read. */
  read(path: string): string | undefined;
  /** The names in a directory, sorted; none where it is not there or not to be read. */
  list(path: string): string[];
  /** Whether the caller may do to a file what access(2)'s mode says: C.W_OK, C.X_OK. */
  may(path: string, mode: number): boolean;
  /** The path of a program that $PATH leads to. */
  program(name: string): string | undefined;
  /** What a program says to `args`; undefined where it fails. */
  ask(program: string, ...args: string[]): string | undefined;
}

/** The machine that this process runs on. */
export function thisHost(): Host {
  const uid = sys("geteuid");
  const home = ffi.environ.find((entry) => entry.startsWith("HOME="))?.slice("HOME=".length) ?? "";
  return {
    uid,
    privileged: uid === 0 && !inUserNamespace(),
    home,
    read: (path) => unless(() => readFile(path)),
    list: (path) => (unless(() => listDirectory(path)) ?? []).sort(),
    may: (path, mode) => attempt("faccessat2", C.AT_FDCWD, cstring(path), mode, C.AT_EACCESS) === 0,
    program: findProgram,
    ask(program, ...args) {
      const named = { what: quote(program), from: "$PATH" };
      const { output, fate } = runFile(named, { path: program, args: [program, ...args], env: ffi.environ });
      return fate === undefined ? output : undefined;
    },
  };
}

/** What `run` returns, or undefined where the kernel refuses. */
function unless<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}
