import { viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { attemptAgain } from "../linux/syscall.js";

/**
 * The id of the process that a launcher was to make; 0 where there is none. If the launcher has only started a process
 * between, this waits for its end: then it has made the other, or told why not.
 *
 * @param started what the launcher has returned, an id
 * @param slot the memory that takes the id of the process
 */
export function madeProcess(started: number, slot: Uint8Array): number {
  const id = () => viewOf(slot).getInt32(0, true);
  // Where the caller ignores SIGCHLD there is no status to take: ECHILD says, then, that the process has ended.
  if (id() !== started) attemptAgain("wait4", started, null, C.__WALL, null);
  return id();
}
