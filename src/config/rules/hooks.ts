import type { Config, Hook } from "../../generated/config.js";
import { wrong } from "../explain.js";
import { checkEnvironment } from "./process.js";

/** config.md, "POSIX-platform Hooks": paths are absolute. */
export function hooksAreRunnable({ hooks = {} }: Config): void {
  for (const [name, list] of Object.entries(hooks) as [string, Hook[]][]) {
    list.forEach(({ path, env = [] }, i) => {
      if (!path.startsWith("/")) throw wrong(`hooks.${name}[${i}].path`, "must be an absolute path", path);
      checkEnvironment(env, `hooks.${name}[${i}].env`);
    });
  }
}
