import { posix } from "node:path";
import type { DeviceOption } from "../../bundle/run-options.js";
import { C } from "../../linux/constants.js";
import { stat } from "../../linux/file.js";
import { wrong } from "./wrong.js";

const TYPES = new Map([
  [C.S_IFCHR, "c"],
  [C.S_IFBLK, "b"],
] as const);

/** What `--device` asks for, "HOST[:CONTAINER[:rwm]]": a device of the host's, and what may be done to it. Throws Failure. */
export function toDevice(text: string): DeviceOption {
  const [source, path = source, access = "rwm", ...more] = text.split(":");
  if (!path.startsWith("/") || more.length > 0 || !/^(?!.*(.).*\1)[rwm]+$/.test(access))
    throw wrong("device", text, 'not of the form "HOST[:/CONTAINER[:rwm]]"');
  const status = stat(source);
  if (status === undefined) throw wrong("device", source, "it does not exist");
  const { mode, uid, gid, device } = status;
  const type = TYPES.get((mode & C.S_IFMT) as typeof C.S_IFCHR);
  if (type === undefined) throw wrong("device", source, "not a device");
  return {
    file: { type, path: posix.join(path), ...device, fileMode: mode & 0o777, uid, gid },
    rule: { allow: true, type, ...device, access },
  };
}
