import { runProgram } from "../launch/run-program.js";
import { Failure } from "../linux/failure.js";

/** The internet protocol's versions, each with tables of its own. */
export type Family = 4 | 6;

const program = (family: Family): string => (family === 4 ? "iptables" : "ip6tables");

/** Changes or prints the host's rules, by whichever of nft's and the legacy tables iptables(8) stands for. Throws Failure. */
export const iptables = (family: Family, ...args: readonly string[]): string =>
  runProgram(program(family), ["-w", ...args]);

/** Like `iptables`, but undefined where that fails: what is asked for is not there. */
export function iptablesIfThere(family: Family, ...args: readonly string[]): string | undefined {
  try {
    return iptables(family, ...args);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
