import { type BigIntStats, closeSync, lstatSync, openSync } from "node:fs";
import { C } from "../linux/constants.js";
import { inDirectory } from "./in-directory.js";
import { entriesOf } from "./remove-tree.js";

/** What stat(2) counts blocks in, in bytes, whatever the file system's own are. */
const BLOCK = 512n;

/**
 * How much disk space a directory takes with all below it, in bytes; what is mounted there does not count, nor what
 * another command removes meanwhile. Files of several names count once.
 * @param below another directory, of which this one was a snapshot at first: what both have does not count
 */
export function diskUsage(directory: string, below?: string): number {
  const shared = below === undefined ? new Map() : blocksIn(below);
  let blocks = 0n;
  for (const [key, count] of blocksIn(directory)) if (!shared.has(key)) blocks += count;
  return Number(blocks * BLOCK);
}

/** The blocks of each file below a directory, by what tells it from others, and from what it was before a change. */
function blocksIn(directory: string): Map<string, bigint> {
  const found = new Map<string, bigint>();
  const start = Buffer.from(directory);
  const dev = statusOf(start)?.dev;
  const visit = (path: Buffer) => {
    const status = statusOf(path);
    if (status === undefined || status.dev !== dev) return;
    found.set(`${status.ino}:${status.size}:${status.mtimeNs}`, status.blocks);
    if (status.isDirectory()) visitEntries(path, visit);
  };
  visit(start);
  return found;
}

const statusOf = (path: Buffer): BigIntStats | undefined => lstatSync(path, { bigint: true, throwIfNoEntry: false });

function visitEntries(directory: Buffer, visit: (path: Buffer) => void): void {
  try {
    const fd = openSync(directory, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
    try {
      for (const { name } of entriesOf(inDirectory(fd, "."))) visit(inDirectory(fd, name));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
