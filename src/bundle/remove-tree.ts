import { closeSync, type Dirent, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { C } from "../linux/constants.js";
import type { Fd } from "../linux/file.js";
import { type ByteText, fromBytes } from "./byte-text.js";
import { inDirectory } from "./in-directory.js";

/** A directory's entries, names as bytes. */
export function entriesOf(directory: Buffer): { name: ByteText; isDirectory: boolean }[] {
  // Node's types know no names as bytes here.
  const entries = readdirSync(directory, { encoding: "buffer", withFileTypes: true } as object) as unknown;
  return (entries as Dirent<Buffer>[]).map((entry) => ({
    name: fromBytes(entry.name),
    isDirectory: entry.isDirectory(),
  }));
}

/**
 * Removes what lies at a path, with all below it where it is a directory; absent is fine, also when another command
 * removes it at the same time. No symbolic link below is followed, even where a container that still runs exchanges
 * directories for links meanwhile.
 */
export function removeTree(path: Buffer): void {
  try {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status?.isDirectory()) {
      empty(openSync(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW));
      rmdirSync(path);
    } else if (status !== undefined) unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Removes all that a directory holds, and closes it. */
function empty(directory: Fd): void {
  try {
    for (const { name } of entriesOf(inDirectory(directory, "."))) removeTree(inDirectory(directory, name));
  } finally {
    closeSync(directory);
  }
}
