import { Cgroup } from "../cgroup/cgroup.js";
import { placeApart, rejoin, setApart } from "../cgroup/set-apart.js";
import { exists, readFile, replaceFile, unlink } from "../linux/file.js";
import type { Saved } from "./saved.js";
import type { StateDirectory } from "./state-directory.js";

/**
 * The name of a file, in a container's directory, that says in which cgroup its processes are set apart: who is killed
 * before putting them back leaves that to the next. state.json is not read again by a `run` that waits for the end.
 */
const APART = "apart";

/** Runs `work` while a container's processes share no cgroup with others. Throws Failure, and what `work` throws. */
export function apart<T>(directory: StateDirectory, { cgroup: paths, pid }: Saved, work: () => T): T {
  putBack(directory);
  const cgroup = new Cgroup(paths);
  const own = placeApart(cgroup, pid);
  if (own === undefined) return work();
  replaceFile(APART, own, 0o600, directory.fd);
  try {
    setApart(cgroup, own);
    return work();
  } finally {
    putBack(directory);
  }
}

/** Puts processes back that are still set apart, and removes what was made for that. Throws Failure. */
export function putBack(directory: StateDirectory): void {
  if (!exists(APART, directory.fd)) return;
  rejoin(readFile(APART, directory.fd));
  unlink(APART, directory.fd);
}
