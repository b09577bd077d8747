import { readFile, writeFile } from "../linux/file.js";
import { parentOf } from "./location.js";

const FILES = ["cpuset.cpus", "cpuset.mems"];

/**
 * Gives a v1 cpuset the CPUs and memory nodes of its parent: it starts with none, and takes no process then. Its
 * ancestors too, where they have none. Throws SyscallError.
 *
 * @param fresh whether it was made just now
 * @param configured the files that get other contents later; the parent needs some all the same
 */
export function inheritCpuset(mountPoint: string, directory: string, fresh: boolean, configured: string[]): void {
  for (const file of FILES) {
    if (configured.includes(file)) contentOf(mountPoint, parentOf(directory), file);
    else contentOf(mountPoint, directory, file, fresh);
  }
}

/** What a cgroup's file has in it, after it was given what its parent's has if there was nothing. */
function contentOf(mountPoint: string, directory: string, file: string, empty = false): string {
  const own = empty ? "" : readFile(`${directory}/${file}`).trim();
  if (own !== "" || directory === mountPoint) return own;
  const inherited = contentOf(mountPoint, parentOf(directory), file);
  writeFile(`${directory}/${file}`, inherited);
  return inherited;
}
