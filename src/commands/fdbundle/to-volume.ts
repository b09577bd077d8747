import { existsSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { NamedVolume } from "../../bundle/run-options.js";
import type { Mount } from "../../generated/config.js";
import { quote } from "../../linux/file.js";
import { wrong } from "./wrong.js";

/** Options of volumes that are a mount's as well. */
const MOUNT_OPTIONS = /^(ro|rw|nosuid|nodev|noexec|idmap|r?(shared|slave|private))$/;

/** Options of volumes for labels of SELinux, which bundles do not have, and for other systems. */
const WITHOUT_EFFECT = /^(z|Z|cached|delegated|consistent)$/;

/** What `--volume` asks for, as docker reads it: what has no slash is a volume's name. Throws Failure. */
export function toVolume(text: string): Mount | NamedVolume {
  const form = 'not of the form "SOURCE:/CONTAINER[:OPTION,…]"';
  const [source, destination, given = "", ...more] = text.split(":");
  if (source === "" || !destination?.startsWith("/") || more.length > 0) throw wrong("volume", text, form);
  const asked = given.split(",").filter((option) => option !== "" && !WITHOUT_EFFECT.test(option));
  for (const option of asked)
    if (!MOUNT_OPTIONS.test(option)) throw wrong("volume", text, `there is no option ${quote(option)}`);
  const propagation = asked.some((option) => /shared|slave|private/.test(option)) ? [] : ["rprivate"];
  const mode = asked.includes("ro") || asked.includes("rw") ? [] : ["rw"];
  const mount = {
    destination: posix.join(destination),
    type: "bind",
    options: ["rbind", ...propagation, ...mode, ...asked],
  };
  if (!source.includes("/")) {
    if (!/^[A-Za-z0-9][\w.-]*$/.test(source)) throw wrong("volume", source, "neither a path nor a volume's name");
    return { ...mount, name: source };
  }
  const path = resolve(source);
  if (!existsSync(path)) throw wrong("volume", source, "it does not exist");
  return { ...mount, source: path };
}
