import { stat } from "./file.js";

/** The inode of the initial user namespace, the same on every machine: linux/nsfs.h, USER_NS_INIT_INO. */
const INITIAL = 0xeffffffdn;

let known: boolean | undefined;

/** Whether this process is in a user namespace below the initial one: there even root has no rights over the host. */
export function inUserNamespace(): boolean {
  // A process of ours stays in the one that it was started in.
  known ??= (stat("/proc/self/ns/user")?.inode ?? INITIAL) !== INITIAL;
  return known;
}
