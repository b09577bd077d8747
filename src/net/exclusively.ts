import { C } from "../linux/constants.js";
import { mkdirAll, open, whileLocked } from "../linux/file.js";

/**
 * Runs `work` while no other command runs some: what is compared with what all containers and networks have stays so
 * until it is on record. It must not wait for other locks. Throws SyscallError.
 */
export function exclusively<T>(root: string, work: () => T): T {
  mkdirAll(root, 0o700);
  return whileLocked(open(`${root}/lock`, C.O_RDWR | C.O_CREAT, 0o600), work);
}
