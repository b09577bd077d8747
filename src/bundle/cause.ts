import { errnoName, errnoText } from "../linux/errno.js";

/**
 * An error of node:fs as its errno's text and name, "no space left on device (ENOSPC)": its own message holds paths
 * below /proc/self/fd. Other errors as they are.
 */
export function causeOf(error: unknown): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || errno === undefined || errno >= 0 || syscall === undefined) return error;
  return `${syscall}: ${errnoText(-errno)} (${errnoName(-errno)})`;
}
