import { C } from "../linux/constants.js";
import { open } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";

/** Opens /dev/null where a standard stream is closed, so that nothing opened later takes its number. */
export function reserveStandardStreams(): void {
  for (const stream of [0, 1, 2]) if (attempt("fcntl", stream, C.F_GETFD) < 0) open("/dev/null", C.O_RDWR);
}
