import type { Label } from "../machine/program.js";
import { type Builder, flags, slot, text } from "./builder.js";

const SET_STRING = flags("FSCONFIG_SET_STRING");
const SET_FLAG = flags("FSCONFIG_SET_FLAG");
const CMD_CREATE = flags("FSCONFIG_CMD_CREATE");

/**
 * Creates a file system with its options and leaves it, attached nowhere, in a slot.
 *
 * @param denied where to go on if it may not be made
 */
export function createFileSystem(
  b: Builder,
  type: string,
  source: string,
  options: readonly string[],
  attributes: Iterable<string>,
  into: string,
  denied?: Label,
): void {
  const context = slot("context");
  const names = [...attributes];
  const orDenied = denied && { on: { EPERM: denied } };
  b.call("fsopen", [text(type), flags("FSOPEN_CLOEXEC")], { into: "context", ...orDenied });
  b.call("fsconfig", [context, SET_STRING, text("source"), text(source), 0]);
  if (names.includes("MOUNT_ATTR_RDONLY")) b.call("fsconfig", [context, SET_FLAG, text("ro"), 0, 0]);
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals < 0) b.call("fsconfig", [context, SET_FLAG, text(option), 0, 0]);
    else {
      const [key, value] = [text(option.slice(0, equals)), text(option.slice(equals + 1))];
      b.call("fsconfig", [context, SET_STRING, key, value, 0]);
    }
  }
  b.call("fsconfig", [context, CMD_CREATE, 0, 0, 0], { ...orDenied });
  b.call("fsmount", [context, flags("FSMOUNT_CLOEXEC"), flags(...names)], { into, ...orDenied });
  b.done("context");
  b.store(-1, "context");
}
