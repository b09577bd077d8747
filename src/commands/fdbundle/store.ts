import { resolve } from "node:path";
import type { Command } from "commander";
import { initBtrfs } from "../../bundle/init-btrfs.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";
import { parseSize } from "../size.js";
import { requireRoot, rootOf } from "./session.js";

export function defineStore(program: Command): void {
  program
    .command("store")
    .description("prepare where layers are kept")
    .command("init")
    .description("mount a btrfs file system that lies in a file, for --store btrfs; after each restart as well")
    .requiredOption("--btrfs <file>", "the file")
    .option("--size <bytes>", "make the file and its file system, of this size: 2G", toSize)
    .action(({ btrfs, size }: { btrfs: string; size?: number }) => {
      requireRoot();
      initBtrfs(rootOf(program), resolve(btrfs), size);
    });
}

function toSize(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw new Failure(`--size: ${quote(text)}`, { cause: "no number of bytes" });
  return size;
}
