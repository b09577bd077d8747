import type { IntelRdt } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile, writeFile } from "../linux/file.js";
import { SyscallError } from "../linux/syscall.js";

/** What limits a class of service: lines such as "L3:0=7f0;1=1f", of a resource's share by cache or memory. */
export type Schemata = Pick<IntelRdt, "l3CacheSchema" | "memBwSchema" | "schemata">;

/** The name of a schema in messages: a JSON path, or a flag. */
export type NameOf = (property: keyof Schemata) => string;

/** The names of schemas in a config. */
export const inConfig: NameOf = (property) => `linux.intelRdt.${property}`;

/** What is set, in the order in which it is to be written. config-linux.md, "IntelRdt" */
function entriesOf({ l3CacheSchema, memBwSchema, schemata = [] }: Schemata): [keyof Schemata, string][] {
  const entries: [keyof Schemata, string | undefined][] = [
    ["l3CacheSchema", l3CacheSchema],
    ["memBwSchema", memBwSchema],
    ["schemata", schemata.join("\n")],
  ];
  return entries.filter((entry): entry is [keyof Schemata, string] => Boolean(entry[1]));
}

export const isLimited = (schemata: Schemata): boolean => entriesOf(schemata).length > 0;

/** Writes schemas to a class of service, each on its own: a later one may be of the same resource. Throws Failure. */
export function writeSchemata(root: string, directory: string, schemata: Schemata, nameOf: NameOf = inConfig): void {
  for (const [property, lines] of entriesOf(schemata))
    explaining(root, `${nameOf(property)}: ${quote(lines)}`, () =>
      writeFile(`${directory}/schemata`, lines.endsWith("\n") ? lines : `${lines}\n`),
    );
}

/**
 * Checks that a class of service that others have made has the shares that its user expects. Shares of all
 * `schemata` do not count: they are just written. Throws Failure.
 */
export function expectSchemata(directory: string, { l3CacheSchema, memBwSchema }: Schemata): void {
  const found = sharesOf(readFile(`${directory}/schemata`));
  for (const [property, lines] of entriesOf({
    ...(l3CacheSchema && { l3CacheSchema }),
    ...(memBwSchema && { memBwSchema }),
  }))
    for (const [place, share] of sharesOf(lines)) {
      const there = found.get(place);
      if (there === share) continue;
      throw new Failure(`${inConfig(property)}: ${quote(lines)}`, {
        cause: `${quote(`${directory}/schemata`)} has ${there === undefined ? `no ${place}` : `${place}=${there}`}`,
      });
    }
}

/** The shares that lines give, by resource and place, "L3:0": hexadecimal masks or decimal numbers without zeros in front. */
function sharesOf(lines: string): Map<string, string> {
  const shares = new Map<string, string>();
  for (const line of lines.split("\n")) {
    const [resource, list = ""] = line.split(":");
    for (const entry of list.split(";").filter(Boolean)) {
      const [place, share = ""] = entry.split("=").map((part) => part.trim());
      shares.set(`${resource.trim()}:${place}`, share.toLowerCase().replace(/^(0x)?0*(?=.)/, ""));
    }
  }
  return shares;
}

/** Gives the errors of `run` what was tried, and what resctrl says of its last error. Throws Failure. */
export function explaining<T>(root: string, what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new Failure(what, { cause: `${cause.message}${lastStatus(root)}` });
  }
}

function lastStatus(root: string): string {
  try {
    const status = readFile(`${root}/info/last_cmd_status`).trim();
    return status === "ok" ? "" : `: ${status}`;
  } catch {
    // Only newer kernels have it.
    return "";
  }
}
