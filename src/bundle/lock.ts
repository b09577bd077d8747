import { closeSync, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { C } from "../linux/constants.js";
import { EAGAIN } from "../linux/errno.js";
import type { Fd } from "../linux/file.js";
import { attemptAgain, must } from "../linux/syscall.js";

/** Waits for a lock on an open file or directory, which ends with the descriptor at the latest. flock(2) */
export function lock(fd: Fd): void {
  must("flock", "lock", attemptAgain("flock", fd, C.LOCK_EX));
}

/**
 * Claims a directory: opens and locks it. Its holder may remove it. Returns undefined where another process has it, or
 * it is gone.
 */
export function claim(path: string): Fd | undefined {
  let fd: Fd;
  try {
    fd = openSync(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const result = attemptAgain("flock", fd, C.LOCK_EX | C.LOCK_NB);
  // Another process may have removed it, and made it anew, in between.
  const [there, opened] = [statSync(path, { throwIfNoEntry: false }), fstatSync(fd)];
  if (result === 0 && there?.ino === opened.ino && there.dev === opened.dev) return fd;
  closeSync(fd);
  if (result !== -EAGAIN) must("flock", `lock "${path}"`, result);
  return undefined;
}

/** Makes a directory, if there is none, and claims it. Returns undefined where another process has it, or removes it. */
export function claimNew(path: string): Fd | undefined {
  try {
    // Not by `recursive`, which looks at what is there already, and fails where that is gone by then.
    mkdirSync(path, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return claim(path);
}
