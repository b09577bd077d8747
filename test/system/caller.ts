import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { defaultConfig } from "../../src/config/defaults.js";
import { rootless } from "../../src/config/rootless.js";
import type { Config, IDMapping } from "../../src/generated/config.js";

/** Who runs the tests: an ordinary user's containers are in user namespaces. */
export const [UID, GID] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
export const IS_ROOT: boolean = UID === 0;

/** Whether an ordinary user can have containers here. */
export const MAY_MAP: boolean = IS_ROOT || spawnSync("unshare", ["--user", "--map-root-user", "true"]).status === 0;

/** The ids that an ordinary user has beside the own one, mapped from 1 on; none where there are no groups among them. */
const RANGES = IS_ROOT ? [] : [subordinateIds("/etc/subuid"), subordinateIds("/etc/subgid")].filter((range) => !!range);
export const HAS_IDS: boolean = IS_ROOT || RANGES.length === 2;

/** The config that bundles begin with: the default one, for an ordinary user what `spec --rootless` writes and all ids. */
export function callersConfig(): Config {
  if (IS_ROOT) return defaultConfig();
  const config = rootless(defaultConfig(), UID, GID);
  const linux = { ...config.linux, resources: {} };
  if (!HAS_IDS) return { ...config, linux };
  const [uids, gids] = RANGES;
  linux.uidMappings = [...(linux.uidMappings ?? []), uids];
  linux.gidMappings = [...(linux.gidMappings ?? []), gids];
  return { ...config, linux };
}

/** What a file such as /etc/subuid gives to the user. */
function subordinateIds(file: string): IDMapping | undefined {
  if (!existsSync(file)) return undefined;
  const names = [String(UID), userInfo().username];
  const lines = readFileSync(file, "utf8").split("\n");
  const found = lines.map((line) => line.split(":")).find(([user]) => names.includes(user));
  return found && { containerID: 1, hostID: Number(found[1]), size: Number(found[2]) };
}
