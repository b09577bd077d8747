import { viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { sys } from "./syscall.js";

/** Milliseconds since some time in the past; nobody sets this clock. clock_gettime(2) */
export function monotonicTime(): number {
  const time = new Uint8Array(16);
  sys("clock_gettime", C.CLOCK_MONOTONIC, time);
  const view = viewOf(time);
  return Number(view.getBigInt64(0, true)) * 1000 + Number(view.getBigInt64(8, true)) / 1e6;
}
