import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** A runtime in the bench. */
export interface Runtime {
  readonly name: string;
  /** What the bench's user knows it by: "crun 1.8.1". */
  readonly title: string;
  /** The beginning of its command line, which starts with an absolute path. */
  readonly command: readonly string[];
}

/** The peers that are looked for where none are named. */
const KNOWN = ["crun", "runc", "youki"];

/** The peers that are on the PATH. */
export function installedPeers(): Runtime[] {
  return KNOWN.flatMap((name) => {
    const directory = process.env.PATH?.split(":").find((candidate) => isExecutable(join(candidate, name)));
    return directory === undefined ? [] : [runtime(name, [join(directory, name)])];
  });
}

/** A peer as "NAME=PATH" tells of it; a script ending in ".js" is run by Node. Throws Error. */
export function namedPeer(option: string): Runtime {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(option) ?? [];
  if (name === undefined) throw new Error(`--peer "${option}": not of the form NAME=PATH`);
  const file = resolve(path);
  if (!isExecutable(file)) throw new Error(`--peer "${option}": "${path}" is not an executable file`);
  return runtime(name, path.endsWith(".js") ? [process.execPath, file] : [file]);
}

/** A runtime by its name and command line. Throws Error where that cannot be run. */
export function runtime(name: string, command: readonly string[]): Runtime {
  const { status, stdout } = spawnSync(command[0], [...command.slice(1), "--version"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`"${command.join(" ")} --version" failed`);
  const version = /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? "of an unknown version";
  return { name, title: `${name} ${version}`, command };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
