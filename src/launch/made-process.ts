import { viewOf } from "../linux/bytes.js";
import { waitFor } from "../linux/process.js";

/**
 * The id of the process that a launcher was to make; 0 where there is none. If the launcher has only started a process
 * between, this waits for its end: then it has made the other, or told why not.
 *
 * @param started what the launcher has returned, an id
 * @param slot the memory that takes the id of the process
 */
export function madeProcess(started: number, slot: Uint8Array): number {
  const id = () => viewOf(slot).getInt32(0, true);
  if (id() !== started) waitFor(started);
  return id();
}
