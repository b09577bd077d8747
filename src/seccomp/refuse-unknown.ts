import type { Seccomp } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { NUMBERS } from "./numbers.js";

/** Refuses names that are no system call of any machine, which a filter otherwise goes without. Throws Failure. */
export function refuseUnknown({ syscalls = [] }: Seccomp): void {
  const known = new Set(Object.values(NUMBERS).flatMap((names) => names.split(" ")));
  syscalls.forEach(({ names }, i) => {
    names.forEach((name, j) => {
      if (!known.has(name) || /^\d/.test(name))
        throw new Failure(`linux.seccomp.syscalls[${i}].names[${j}]`, {
          cause: `no system call is called ${quote(name)}`,
        });
    });
  });
}
