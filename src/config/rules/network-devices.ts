import { ffi } from "../../ffi/driver.js";
import type { Config } from "../../generated/config.js";
import { member, wrong } from "../explain.js";
import { hasNamespace } from "./namespaces.js";

/** The longest name of a network device in bytes: IFNAMSIZ of linux/if.h without the NUL. */
const LONGEST = 15;

/** config-linux.md, "Network Devices": what they are called, and a namespace of the container's to move them to. */
export function networkDevicesAreNamed(config: Config): void {
  const devices = Object.entries(config.linux?.netDevices ?? {});
  if (devices.length === 0) return;
  if (!hasNamespace(config, "network")) throw wrong("linux.netDevices", "needs a network namespace");
  const seen = new Set<string>();
  for (const [hostName, { name }] of devices) {
    const path = member("linux.netDevices", hostName);
    if (!isName(hostName)) throw wrong(path, "must have the name of a network device", hostName);
    const own = name || hostName;
    if (name) {
      if (!isName(name)) throw wrong(`${path}.name`, "must be the name of a network device", name);
      // The kernel's rule for names that it is to number.
      if (name.replace("%d", "").includes("%")) throw wrong(`${path}.name`, 'must have no "%" but in one "%d"', name);
    }
    if (!own.includes("%d") && seen.has(own)) throw wrong(name ? `${path}.name` : path, "must not be there twice", own);
    seen.add(own);
  }
}

/** The kernel's rule: dev_valid_name() of net/core/dev.c. */
const isName = (name: string): boolean =>
  name !== "." && name !== ".." && /^[^/:\s]+$/.test(name) && ffi.encode(name).length <= LONGEST;
