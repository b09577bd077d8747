import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { findProgram } from "../linux/find-program.js";
import type { NetworkWishes } from "../net/connect.js";
import { networkParts, prepareFiles } from "../net/network-parts.js";

/**
 * A bundle's configuration with the network that is wished for; the container's files of it are made in the bundle.
 * What is mounted in their places already is left there. Throws Failure.
 * @param bundle the bundle's directory
 */
export function withNetwork(config: Config, bundle: string, wishes: NetworkWishes): Config {
  const parts = networkParts(fdnet(), { ...wishes, hostname: config.hostname });
  if (parts.mounts.length > 0) prepareFiles(bundle);
  const mounts = config.mounts ?? [];
  const taken = new Set(mounts.map(({ destination }) => destination));
  const namespaces = (config.linux?.namespaces ?? []).filter(({ type }) => type !== "network");
  return {
    ...config,
    mounts: [...mounts, ...parts.mounts.filter(({ destination }) => !taken.has(destination))],
    hooks: { ...config.hooks, ...parts.hooks },
    linux: { ...config.linux, namespaces: parts.namespace ? [...namespaces, parts.namespace] : namespaces },
  };
}

/** The path of fdnet: the one that $PATH leads to, or else the one that was built with this program. Throws Failure. */
function fdnet(): string {
  const found = findProgram("fdnet");
  if (found !== undefined) return resolve(found);
  const beside = ["../../../fdnet", "../bin/fdnet.js"].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const path = beside.find(isExecutable);
  if (path === undefined) throw new Failure("fdnet", { cause: "executable file not found in $PATH" });
  return path;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
