import type { Config } from "../generated/config.js";
import { member, wrong } from "./explain.js";

/** What cannot be honoured at a place of the configuration: a reason, or a function that gives one for some values. */
type Refusal = string | ((value: unknown) => string | undefined);

/** Refusals by property name; for an array, the one entry goes for every item. */
type Table = { [property: string]: Table | [Table] | Refusal };

/**
 * What the specification knows and fdrunc cannot do; what is absent here, it does. A reason applies to every value but
 * empty texts, lists and objects, which engines write for unset.
 */
export const UNSUPPORTED: Table = {
  process: {
    execCPUAffinity: "CPU affinity cannot be set yet",
  },
};

/** Refuses what the specification knows and fdrunc cannot do. Throws Failure with its JSON path. */
export function refuseUnsupported(config: Config): void {
  refuseIn(config, UNSUPPORTED, () => "");
}

/** `at` gives the path of `value`; it is seldom needed, so it is put together only then. */
function refuseIn(value: object, table: Table, at: () => string): void {
  for (const property in table) {
    const entry = table[property] as Table[string];
    const part = (value as Record<string, unknown>)[property];
    if (part === undefined) continue;
    const path = () => member(at(), property);
    if (Array.isArray(entry)) {
      const items = part as object[];
      for (let i = 0; i < items.length; i++) refuseIn(items[i] as object, entry[0], () => `${path()}[${i}]`);
    } else if (typeof entry === "object") {
      refuseIn(part as object, entry, path);
    } else {
      const reason = typeof entry === "function" ? entry(part) : isEmpty(part) ? undefined : entry;
      if (reason !== undefined) throw wrong(path(), `is not supported: ${reason}`);
    }
  }
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" ? Object.keys(value as object).length === 0 : value === "";
