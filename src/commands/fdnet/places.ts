import type { Command } from "commander";
import { absolutePath } from "../../linux/path.js";
import type { Places } from "../../net/connect.js";

/** Where things are, by the options that all commands have. */
export function placesOf(program: Command): Places {
  const { root, networks } = program.opts<{ root: string; networks: string }>();
  return { root: absolutePath(root), networks: absolutePath(networks) };
}
