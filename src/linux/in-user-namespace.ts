import { ENOENT } from "./errno.js";
import { readlink } from "./file.js";
import { expecting } from "./syscall.js";

/** The initial user namespace, whose number is the same on every machine: linux/nsfs.h, USER_NS_INIT_INO. */
const INITIAL = "user:[4026531837]";

let known: boolean | undefined;

/** Whether this process is in a user namespace below the initial one: there even root has no rights over the host. */
export function inUserNamespace(): boolean {
  // A process of ours stays in the one that it was started in. A kernel without user namespaces shows no file.
  known ??= expecting([ENOENT], INITIAL, () => readlink("/proc/self/ns/user")) !== INITIAL;
  return known;
}
