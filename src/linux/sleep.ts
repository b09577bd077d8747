import { words } from "./bytes.js";
import { attempt } from "./syscall.js";

/** Waits; a signal may end it early. nanosleep(2) */
export function sleep(milliseconds: number): void {
  attempt("nanosleep", words(Math.floor(milliseconds / 1000), Math.round((milliseconds % 1000) * 1e6)), null);
}
