import { closeSync, openSync } from "node:fs";
import { posix } from "node:path";
import { C } from "../linux/constants.js";
import { ENOENT } from "../linux/errno.js";
import { openat2, readlink, using } from "../linux/file.js";
import { expecting } from "../linux/syscall.js";

/** As many links as the kernel follows; path_resolution(7). */
const MOST_LINKS = 40;

/**
 * Where a mount on a path in a root file system belongs: behind links that lead to nothing yet, such as images have whose
 * system makes /etc/resolv.conf at its start. Throws SyscallError.
 */
export function mountPlace(rootfs: string, path: string): string {
  const root = openSync(rootfs, C.O_PATH | C.O_DIRECTORY);
  try {
    let place = path;
    // What is there and no link has no target: readlinkat(2) says ENOENT of it, too.
    for (let links = 0; links < MOST_LINKS; links++) {
      const target = expecting([ENOENT], undefined, () =>
        using(openat2(root, place, C.O_PATH | C.O_NOFOLLOW, C.RESOLVE_IN_ROOT), (file) => readlink("", file)),
      );
      if (target === undefined) break;
      place = posix.join("/", target.startsWith("/") ? target : `${posix.dirname(place)}/${target}`);
    }
    return place;
  } finally {
    closeSync(root);
  }
}
