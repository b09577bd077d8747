import type { Config } from "../../generated/config.js";
import { wrong } from "../explain.js";

/** The bounds of Linux's device numbers: 12 bits of major, 20 of minor. makedev(3) */
const LARGEST = { major: 4095, minor: 1048575 };

/** config-linux.md, "Devices". */
export function devicesAreComplete({ linux }: Config): void {
  linux?.devices?.forEach((device, i) => {
    const path = `linux.devices[${i}]`;
    if (!device.path.startsWith("/")) throw wrong(`${path}.path`, "must be an absolute path", device.path);
    if (/\/\.{0,2}$/.test(device.path)) throw wrong(`${path}.path`, "must name a file", device.path);
    if (device.type === "p") return;
    for (const key of ["major", "minor"] as const) {
      const number = device[key];
      if (number === undefined) throw wrong(`${path}.${key}`, `is required for type ${device.type}`);
      if (number < 0 || number > LARGEST[key])
        throw wrong(`${path}.${key}`, `must be an integer from 0 to ${LARGEST[key]}`, number);
    }
  });
}

/** config-linux.md, "Allowed Device list". */
export function deviceRulesAreKnown({ linux }: Config): void {
  linux?.resources?.devices?.forEach(({ type, access = "" }, i) => {
    const path = `linux.resources.devices[${i}]`;
    if (type !== undefined && !["", "a", "b", "c"].includes(type))
      throw wrong(`${path}.type`, "must be one of a, b, c", type);
    if (!/^[rwm]*$/.test(access)) throw wrong(`${path}.access`, "must be made of r, w and m", access);
  });
}
