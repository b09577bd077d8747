import { readFileSync } from "node:fs";
import type { IdMaps } from "../../bundle/id-maps.js";
import type { IDMapping } from "../../generated/config.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";

/** What is mapped where the host's files give root no range. */
const RANGE = { hostID: 100_000, size: 65_536 };

/**
 * What `--userns` asks for: "auto", the ranges that /etc/subuid and /etc/subgid give to root, or else 65536 ids from
 * 100000 on; or "INSIDE:OUTSIDE:COUNT", several with commas, for users and groups alike. Throws Failure.
 */
export function toIdMaps(text: string): IdMaps {
  if (text === "auto") return { uids: rangeOf("/etc/subuid"), gids: rangeOf("/etc/subgid") };
  const fail = (cause: string) => new Failure(`--userns: ${quote(text)}`, { cause });
  const mappings = text.split(",").map((part): IDMapping => {
    const [, ...numbers] = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(part) ?? [];
    if (numbers.length === 0) throw fail('neither "auto" nor of the form INSIDE:OUTSIDE:COUNT[,…]');
    const [containerID, hostID, size] = numbers.map(Number);
    if (size < 1 || containerID + size > 0xffffffff || hostID + size > 0xffffffff) throw fail("not ids");
    return { containerID, hostID, size };
  });
  if (!mappings.some(({ containerID }) => containerID === 0)) throw fail("id 0 has to be mapped");
  return { uids: mappings, gids: mappings };
}

/** The range that a file gives to root; subuid(5). */
function rangeOf(path: string): IDMapping[] {
  const lines = textOf(path).split("\n");
  const [, hostID, size] = lines.map((line) => /^root:(\d+):(\d+)$/.exec(line)).find((match) => match !== null) ?? [];
  if (hostID === undefined) return [{ containerID: 0, ...RANGE }];
  return [{ containerID: 0, hostID: Number(hostID), size: Number(size) }];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw new Failure(quote(path), { cause: error });
  }
}
