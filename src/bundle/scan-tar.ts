import { readSync } from "node:fs";
import type { Fd } from "../linux/file.js";
import { parseTar } from "./parse-tar.js";
import type { TarEntry } from "./tar-entry.js";
import { cutShort } from "./tar-feed.js";

/**
 * Shows the entries of a tar archive in a file of `size` bytes, reading their headers only. Throws Failure as
 * `parseTar` does, and where there is no end mark.
 */
export function scanTar(fd: Fd, size: number, show: (entry: TarEntry) => void): void {
  const parser = parseTar({
    entry: (entry) => {
      show(entry);
      return false;
    },
    content: () => {},
    end: () => {},
  });
  let at = 0;
  let bytes = Buffer.alloc(0);
  for (let step = parser.next(bytes); !step.done; step = parser.next(bytes)) {
    const { kind, size: wanted } = step.value;
    if (at + wanted > size) throw cutShort(size);
    if (kind !== "skip") {
      bytes = Buffer.allocUnsafe(wanted);
      if (readSync(fd, bytes, 0, wanted, at) < wanted) throw cutShort(size);
    }
    at += wanted;
  }
}
