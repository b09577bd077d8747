import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { detach } from "./cni-network.js";
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
      detach(sandbox, attachment);
    } catch (error) {
      if (!(force && error instanceof Failure)) throw error;
    }
  }
  records.remove();
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
