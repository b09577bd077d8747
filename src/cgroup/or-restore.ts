import { attemptWriteFile, readFile } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";
import type { CgroupPaths } from "./cgroup.js";
import type { PlacedSetting } from "./settings.js";

/**
 * Makes a change to settings; where it fails, gives their files back what they had.
 *
 * @throws what `change` throws
 */
export function orRestore(settings: readonly PlacedSetting[], paths: CgroupPaths, change: () => void): void {
  const files = [...new Set(settings.map(({ cgroup, file }) => `${paths[cgroup]}/${file}`))];
  const before = files.map((path) => ({ path, lines: linesOf(path) }));
  try {
    change();
  } catch (error) {
    // Some values are valid only beside others, and each is written twice, so that the others are there by then.
    for (let round = 0; round < 2; round++)
      for (const { path, lines } of before) for (const line of lines) attemptWriteFile(path, `${line}\n`);
    throw error;
  }
}

/** What a file of a cgroup has, a line for each device if it is about devices; nothing where it cannot be read. */
function linesOf(path: string): string[] {
  try {
    return readFile(path).replace(/\n$/, "").split("\n");
  } catch (error) {
    if (error instanceof SyscallError) return [];
    throw error;
  }
}
