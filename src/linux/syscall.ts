import { ffi } from "../ffi/driver.js";
import type { Arg } from "../ffi/ffi.js";
import type { Path } from "./bytes.js";
import { EINTR, errnoName, errnoText } from "./errno.js";
import { SYSCALLS, type SyscallName } from "./syscalls.js";

const column = ffi.arch === "x86_64" ? 0 : 1;

/** A system call that the kernel refused. The message ends in the errno's text and name. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  constructor(
    readonly syscall: SyscallName,
    readonly errno: number,
    /** What was attempted on which object, "open \"/x\"". */
    readonly action: string = syscall,
  ) {
    super(`${action}: ${errnoText(errno)} (${errnoName(errno)})`);
  }
}

/** Makes a system call and returns the kernel's raw result: negative is a negated errno. */
export const attempt = (name: SyscallName, a?: Arg, b?: Arg, c?: Arg, d?: Arg, e?: Arg, f?: Arg): number =>
  ffi.syscall(SYSCALLS[name][column], a, b, c, d, e, f);

/** Makes a system call, again while it is interrupted by signals. Throws SyscallError. */
export function sys(name: SyscallName, a?: Arg, b?: Arg, c?: Arg, d?: Arg, e?: Arg, f?: Arg): number {
  return must(name, name, attemptAgain(name, a, b, c, d, e, f));
}

/** Like `attempt`, again while the call is interrupted by signals. */
export function attemptAgain(name: SyscallName, a?: Arg, b?: Arg, c?: Arg, d?: Arg, e?: Arg, f?: Arg): number {
  for (;;) {
    const result = attempt(name, a, b, c, d, e, f);
    if (result !== -EINTR) return result;
  }
}

/** What was attempted: a sentence, or a verb and the path that it was done to. */
export type Action = string | readonly [verb: string, path: Path];

/** Passes a raw result on, or throws SyscallError where it is a negated errno. */
export function must(name: SyscallName, action: Action, result: number): number {
  if (result < 0 && result > -4096)
    throw new SyscallError(name, -result, typeof action === "string" ? action : sentenceOf(action));
  return result;
}

const sentenceOf = ([verb, path]: Exclude<Action, string>): string =>
  `${verb} ${JSON.stringify(typeof path === "string" ? path : ffi.decode(path))}`;

/** What `run` returns, or `otherwise` where a system call in it fails with one of these errors. */
export function expecting<T>(errnos: readonly number[], otherwise: T, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SyscallError && errnos.includes(error.errno)) return otherwise;
    throw error;
  }
}
