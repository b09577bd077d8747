import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../folders.js";
import type { Outcome, Place } from "./place.js";
import { succeeds } from "./suite.js";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The commands that the README has for an engine, by its name there: "podman". */
export function readmeLines(engine: string): string[] {
  const [, block] =
    new RegExp(`^\\*\\*${engine}\\*\\*[\\s\\S]*?\n\`\`\`sh\n([\\s\\S]*?)\`\`\`$`, "m").exec(README) ?? [];
  if (block === undefined) throw new Error(`the README has no commands for ${engine}`);
  return block.trimEnd().split("\n");
}

/** Runs a command of the README's in the directory where the README lies. */
export const follow = (place: Place, line: string): Outcome => place.run(["sh", "-c", `cd '${ROOT}' && ${line}`]);

/** Where `systemctl` of a place writes what it is asked for: nothing that it could start runs there. */
export const ASKED_OF_SYSTEMD = "/run/asked-of-systemd";

/** Installs fdrunc as the README says, into a /usr/local/bin of the place's own. */
export function install(place: Place): void {
  const [, line] = /`(install dist\/fdrunc [^`]*)`/.exec(README) ?? [];
  if (line === undefined) throw new Error("the README does not say how to install fdrunc");
  const own =
    "mkdir /run/bin /run/bin.work; mount -t overlay -o lowerdir=/usr/local/bin,upperdir=/run/bin,workdir=/run/bin.work";
  succeeds(place.run(["sh", "-ec", `${own} overlay /usr/local/bin`]));
  const systemctl = `#!/bin/sh\\necho "$@" >>${ASKED_OF_SYSTEMD}\\n`;
  const path = "/usr/local/bin/systemctl";
  succeeds(place.run(["sh", "-ec", `printf '${systemctl}' >${path}; chmod 755 ${path}`]));
  succeeds(follow(place, line));
}
