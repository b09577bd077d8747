import { C } from "../linux/constants.js";
import { listDirectory, mkdirAll, open, readFile, removeTree, whileLocked, writeAll } from "../linux/file.js";
import { sys } from "../linux/syscall.js";
import { acceptForwarding, removeBridge, setupOf } from "./bridge-network.js";
import type { CniNetwork } from "./cni-network.js";
import { exclusively } from "./exclusively.js";
import { removeEmptyPortChains } from "./port-chains.js";
import { Records } from "./records.js";
import { refuseOverlap } from "./refuse-overlap.js";

/** Where a root directory keeps the addresses that networks of fdnet's own have given away. */
export const leasesIn = (root: string): string => `${root}/leases`;

/** The networks that are set up: a file each, which holds the network. */
const networksIn = (root: string): string => `${root}/networks`;

/** Whether a network is fdnet's own, and not of a configuration. */
export const isOwn = (root: string, { plugins }: CniNetwork): boolean =>
  (plugins[0].ipam as { dataDir?: string } | undefined)?.dataDir === leasesIn(root);

/** Sets a network of fdnet's own up, unless it is. A container on record is what keeps it. Throws Failure. */
export function setUpNetwork(root: string, network: CniNetwork): void {
  locking(root, network.name, (file, isSetUp) => {
    if (isSetUp) return;
    exclusively(root, () => {
      refuseOverlap(
        network,
        ownNetworks(root).filter(({ name }) => name !== network.name),
      );
      // First on file: whatever comes to be is found there.
      writeAll(file, JSON.stringify(network));
    });
    acceptForwarding(setupOf(network));
  });
}

/** Removes what is left of networks of fdnet's own that no container is in any more. Throws Failure, SyscallError. */
export function removeUnusedNetworks(root: string): void {
  const used = usedNetworks(root);
  const setUp = ownNetworks(root).map(({ name }) => name);
  // The plugin makes a directory of leases even to look for one that is not there.
  for (const name of new Set([...setUp, ...listDirectory(leasesIn(root))])) {
    if (used.has(name)) continue;
    locking(root, name, (file, isSetUp) => {
      // Containers are on record before their networks are set up: under the lock all are seen that need this one.
      if (usedNetworks(root).has(name)) return;
      if (isSetUp) {
        const setup = setupOf(JSON.parse(readFile(`${networksIn(root)}/${name}`)));
        removeBridge(setup);
        // A container of another network may just be getting its ports, which are led through the same chains.
        exclusively(root, () => setup.families.forEach(removeEmptyPortChains));
      }
      removeTree(`${leasesIn(root)}/${name}`);
      sys("ftruncate", file, 0);
    });
  }
}

/** The networks that are set up. */
const ownNetworks = (root: string): CniNetwork[] =>
  listDirectory(networksIn(root)).flatMap((name) => {
    const text = readFile(`${networksIn(root)}/${name}`);
    return text === "" ? [] : [JSON.parse(text)];
  });

function usedNetworks(root: string): Set<string> {
  const records = Records.list(root).flatMap((id) => Records.peek(root, id) ?? []);
  return new Set(records.flatMap(({ attachments }) => attachments.map(({ network }) => network.name)));
}

function locking(root: string, name: string, work: (file: number, isSetUp: boolean) => void): void {
  mkdirAll(networksIn(root), 0o700);
  const path = `${networksIn(root)}/${name}`;
  whileLocked(open(path, C.O_RDWR | C.O_CREAT, 0o600), (file) => work(file, readFile(path) !== ""));
}
