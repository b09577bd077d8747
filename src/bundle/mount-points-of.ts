import { basename, dirname } from "node:path";
import { mountLines, parseMount } from "../linux/mount-info.js";

/**
 * Where a directory is mounted. Its parent's name has to be unique: the path in the file system begins where that is
 * mounted itself.
 */
export function mountPointsOf(path: string): string[] {
  const end = `/${basename(dirname(path))}/${basename(path)}`;
  return [...mountLines()]
    .filter((line) => line.includes(end))
    .map(parseMount)
    .filter(({ root }) => root.endsWith(end))
    .map(({ mountPoint }) => mountPoint);
}
