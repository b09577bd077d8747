import type { Hook, Hooks, Mount, Namespace } from "../generated/config.js";
import { mkdir } from "../linux/file.js";
import { checkWishes, DEFAULT_ROOT, type NetworkWishes } from "./connect.js";
import { parseChoice } from "./network-choice.js";
import { FILES, FILES_DIRECTORY, writeFiles } from "./network-files.js";
import { netnsPath } from "./records.js";

/** What of a config.json a choice of network decides. */
export interface NetworkParts {
  /** The namespace of type network; absent: the host's. */
  readonly namespace?: Namespace;
  readonly hooks: Hooks;
  /** The files that fdnet writes, where programs look for them. */
  readonly mounts: readonly Mount[];
}

/**
 * What a configuration needs so that its containers get the network that is wished for. With mounts among it the bundle
 * needs the files of `prepareFiles`. Throws Failure where the wishes cannot be had anywhere.
 *
 * @param fdnet the path of fdnet's executable
 */
export function networkParts(fdnet: string, wishes: NetworkWishes): NetworkParts {
  checkWishes(wishes);
  const choice = parseChoice(wishes.net);
  if (choice.kind === "none") return { namespace: { type: "network" }, hooks: {}, mounts: [] };
  const up = hook(fdnet, "up", ...flagsOf(wishes));
  const mounts = FILES.map((name) => ({
    destination: `/etc/${name}`,
    type: "bind",
    source: `${FILES_DIRECTORY}/${name}`,
    options: ["bind", "rw"],
  }));
  if (choice.kind === "host") return { hooks: { createRuntime: [up] }, mounts };
  if (choice.kind === "container")
    return {
      namespace: { type: "network", path: netnsPath(DEFAULT_ROOT, choice.id) },
      hooks: { createRuntime: [up] },
      mounts,
    };
  return { namespace: { type: "network" }, hooks: { createRuntime: [up], poststop: [hook(fdnet, "down")] }, mounts };
}

const hook = (path: string, ...args: string[]): Hook => ({ path, args: ["fdnet", ...args] });

/** The wishes as the command line of `fdnet up` has them. */
function flagsOf({ net, ip, mac, subnet, publish, dns, addHost, hostname }: NetworkWishes): string[] {
  const single = (value: string | undefined) => (value === undefined ? [] : [value]);
  const flags = {
    net: net ?? [],
    ip,
    mac: single(mac),
    subnet,
    publish,
    dns,
    "add-host": addHost,
    hostname: single(hostname),
  };
  return Object.entries(flags).flatMap(([name, values]) => values.map((value) => `--${name}=${value}`));
}

/** Makes the files, empty still, that the mounts of a bundle with a network name. Throws Failure, SyscallError. */
export function prepareFiles(bundle: string): void {
  mkdir(`${bundle}/${FILES_DIRECTORY}`, 0o755);
  writeFiles(bundle, Object.fromEntries(FILES.map((name) => [name, ""])));
}
