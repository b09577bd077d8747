import { ffi } from "../ffi/driver.js";
import type { Config } from "../generated/config.js";
import { type Builder, openHow, slot, text } from "./builder.js";

/** Compiles linux.sysctl. Values go through slot `proc`, which is known to be procfs and lies in these namespaces. */
export function compileSysctl(b: Builder, config: Config): void {
  const entries = Object.entries(config.linux?.sysctl ?? {});
  for (const [name, value] of entries) {
    b.about(`set kernel parameter ${name} to ${JSON.stringify(value)}`, `linux.sysctl[${JSON.stringify(name)}]`);
    const how = openHow("O_WRONLY|O_CLOEXEC", "RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_XDEV");
    b.call("openat2", [slot("proc"), text(`sys/${sysctlPath(name)}`), ...how], { into: "file" });
    const bytes = ffi.encode(value);
    b.call("write", [slot("file"), { bytes, shown: JSON.stringify(value) }, bytes.length]);
    b.done("file");
  }
}

/** sysctl(8)'s rule: where the first separator is a slash, dots belong to names; else the two change places. */
const sysctlPath = (name: string): string =>
  /^[^./]*\//.test(name) ? name : name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
