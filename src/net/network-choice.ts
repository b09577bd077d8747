import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { DEFAULT_NETWORK } from "./bridge-network.js";

/** What may be chosen as a container's network. */
export type NetworkChoice =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly id: string }
  | { readonly kind: "networks"; readonly names: readonly string[] };

/** What the values of `--net` ask for: "none", "host", "container:ID", or names of networks. Throws Failure. */
export function parseChoice(values: readonly string[] = [DEFAULT_NETWORK]): NetworkChoice {
  for (const value of values) {
    const container = /^container:([A-Za-z0-9_+.-]+)$/.exec(value)?.[1];
    const alone = value === "none" || value === "host" || container !== undefined;
    if (!alone && !/^[A-Za-z0-9][\w.-]*$/.test(value))
      throw new Failure(`--net: ${quote(value)}`, {
        cause: "neither none, host, container:ID, nor a name of letters, digits, and _ . -",
      });
    if (!alone) continue;
    if (values.length > 1) throw new Failure(`--net: ${quote(value)}`, { cause: "goes with no other network" });
    if (container !== undefined) return { kind: "container", id: container };
    return { kind: value as "none" | "host" };
  }
  if (new Set(values).size < values.length) throw new Failure("--net", { cause: "a name is there twice" });
  return { kind: "networks", names: values };
}
