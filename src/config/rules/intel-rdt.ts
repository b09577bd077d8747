import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";

/** Names in resctrl that stand for something else than a class of service. */
const RESERVED = ["info", "mon_groups", "mon_data", ".", ".."];

/** config-linux.md, "IntelRdt". */
export function intelRdtIsNamed({ linux }: Config): void {
  const { closID = "", schemata = [] } = linux?.intelRdt ?? {};
  if (closID !== "/" && (/[/\n]/.test(closID) || RESERVED.includes(closID)))
    throw wrong("linux.intelRdt.closID", 'must be the name of a class of service, or "/" for the default one', closID);
  schemata.forEach((line, i) => {
    if (line.includes("\n")) throw wrong(`linux.intelRdt.schemata[${i}]`, "must be one line", line);
  });
}
