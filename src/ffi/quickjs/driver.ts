import type { Ffi } from "../ffi.js";

/** What host.c offers, and the place where it looks for what to run. */
declare const host: Omit<Ffi, "engine"> & { main?: () => void };

/** What bundle.mjs knows. */
declare const QUICKJS_VERSION: string;

export const ffi: Ffi = Object.assign(host, { engine: `quickjs: ${QUICKJS_VERSION}` });

// Its seed stays as it was at build time: every process would draw the same numbers.
Reflect.deleteProperty(Math, "random");

/**
 * Leaves the program for the host to run. All that modules do before this, they do at build time, without system calls
 * and without a command line; so is `ahead` done. The executable starts with the result.
 */
export function start(main: () => void, ahead?: () => void): void {
  ahead?.();
  host.main = main;
}
