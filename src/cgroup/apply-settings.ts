import { EINVAL, ENOENT, errnoName, errnoText } from "../linux/errno.js";
import type { Failure } from "../linux/failure.js";
import { attemptWriteFile, quote } from "../linux/file.js";
import { refusal, type Setting } from "./setting.js";
import type { PlacedSetting } from "./settings.js";

/** What the kernel may mean, by property and error. */
const HINTS: Record<string, string> = {
  "memory.limit EBUSY": "the cgroup's processes use more",
  "memory.swap EINVAL": "it is memory and swap together, so it cannot be less than memory.limit",
  "memory.swap ENOENT": "the kernel does not count swap",
  "memory.kernel EOPNOTSUPP": "the kernel no longer limits this",
  "cpu.cpus EACCES": "the parent cgroup does not have all of them",
  "cpu.mems EACCES": "the parent cgroup does not have all of them",
  "cpu.quota EINVAL": "it is at least 1000, and no larger part of the period than the parent cgroup has",
  "cpu.realtimeRuntime EINVAL": "the parent cgroup has less realtime to give",
  "blockIO.weight ENOENT": "the kernel has no scheduler with weights",
};

/**
 * Writes settings to a container's cgroups.
 *
 * @param paths the directories, by v1 controller or "" for v2
 * @throws Failure by JSON path
 */
export function applySettings(settings: readonly PlacedSetting[], paths: Readonly<Record<string, string>>): void {
  // Some values are valid only beside others: a limit on memory is at most that on memory and swap, a burst at most the
  // quota. Which is to be written first depends on what is there: so what is invalid now is tried again after the rest.
  let left = settings;
  while (left.length > 0) {
    let invalid: Failure | undefined;
    const again = left.filter((setting) => {
      const failed = write(setting, paths[setting.cgroup]);
      invalid ??= failed;
      return failed !== undefined;
    });
    if (invalid !== undefined && again.length === left.length) throw invalid;
    left = again;
  }
}

/** Writes a setting, or what stands in for it. Returns the failure where the value is invalid; throws others. */
function write({ property, file, text, otherwise }: Setting, directory: string): Failure | undefined {
  const path = `${directory}/${file}`;
  const errno = -attemptWriteFile(path, text);
  if (errno === 0) return undefined;
  if (errno === ENOENT && otherwise) return otherwise === "nothing" ? undefined : write(otherwise, directory);
  const failed = writeRefusal(property, path, text, errno);
  if (errno === EINVAL) return failed;
  throw failed;
}

/** The error of a value that the kernel does not take. */
export function writeRefusal(property: string, path: string, text: string, errno: number): Failure {
  const cause = `write ${quote(text)} to ${quote(path)}: ${errnoText(errno)} (${errnoName(errno)})`;
  return refusal(property, cause, HINTS[`${property} ${errnoName(errno)}`]);
}
