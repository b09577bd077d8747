import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";

/** config-linux.md, "Personality": "Currently no flag values are supported". */
export function personalityIsKnown({ linux }: Config): void {
  if (linux?.personality === undefined) return;
  const { domain, flags = [] } = linux.personality;
  if (domain === undefined) throw wrong("linux.personality.domain", "is required");
  if (flags.length > 0) throw wrong("linux.personality.flags[0]", "must not be there, none is supported", flags[0]);
}
