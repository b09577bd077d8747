import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { detach } from "./cni-network.js";
import { iptablesIfThere } from "./iptables.js";
import { removeUnusedNetworks } from "./own-networks.js";
import { isAlive, Records } from "./records.js";

/**
 * Takes back all that a container has of its networks, then its record. Throws Failure: then it stays on record, unless
 * `force` says that it does not matter.
 */
export function release(records: Records, force = false): void {
  const sandbox = { containerId: records.id, netns: records.namespace };
  for (const attachment of (records.read()?.attachments ?? []).toReversed()) {
    try {
      detachWithChains(sandbox, attachment);
    } catch (error) {
      if (!(force && error instanceof Failure)) throw error;
    }
  }
  records.remove();
}

/**
 * Takes back an attachment. Plugins that were killed before they had made a chain of iptables, or after they had removed
 * it, take what iptables of nft says of that for a failure: they are lent the chain.
 */
function detachWithChains(...[sandbox, attachment]: Parameters<typeof detach>): void {
  const lent = new Map<string, () => void>();
  try {
    for (;;) {
      try {
        detach(sandbox, attachment);
        return;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        const [, program, chain] = /(ip6?tables) v\S+ .*Chain '(CNI-[\w-]+)' does not exist/.exec(error.message) ?? [];
        if (chain === undefined || lent.has(`${program} ${chain}`)) throw error;
        const family = program === "ip6tables" ? 6 : 4;
        iptablesIfThere(family, "-t", "nat", "-N", chain);
        lent.set(`${program} ${chain}`, () => iptablesIfThere(family, "-t", "nat", "-X", chain));
      }
    }
  } finally {
    for (const takeBack of lent.values()) takeBack();
  }
}

/** What became of containers whose processes are gone. */
export interface Collection {
  /** The ids of those that were released. */
  readonly released: readonly string[];
  /** Why others were not. */
  readonly failures: readonly Failure[];
}

/**
 * Releases what containers have left whose processes are gone, and networks that nobody is in any more. A container
 * that another command is at is passed over; one whose plugins fail stands in nobody's way. Throws Failure.
 */
export function collect(root: string): Collection {
  const failures: Failure[] = [];
  const released = Records.list(root).filter((id) => {
    if (isInUse(Records.peek(root, id))) return false;
    const records = Records.open(root, id, "try");
    try {
      // It may have been made anew meanwhile.
      if (records === undefined || isInUse(records.read())) return false;
      release(records);
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(
        new Failure(`container ${quote(id)}`, { cause: error, hint: `\`fdnet down --force ${id}\` forgets it` }),
      );
      return false;
    } finally {
      records?.close();
    }
  });
  removeUnusedNetworks(root);
  return { released, failures };
}

const isInUse = (record: ReturnType<typeof Records.peek>): boolean => record !== undefined && isAlive(record);
