import { detach } from "./cni-network.js";
import { removeUnusedNetworks } from "./own-networks.js";
import { isAlive, Records } from "./records.js";

/** Takes back all that a container has of its networks, then its record. Throws Failure: then it stays on record. */
export function release(records: Records): void {
  const sandbox = { containerId: records.id, netns: records.namespace };
  for (const attachment of (records.read()?.attachments ?? []).toReversed()) detach(sandbox, attachment);
  records.remove();
}

/**
 * Releases what containers have left whose processes are gone, and networks that nobody is in any more. A container
 * that another command is at is passed over.
 *
 * @returns the ids of those released
 * @throws Failure
 */
export function collect(root: string): string[] {
  const released = Records.list(root).filter((id) => {
    if (isInUse(Records.peek(root, id))) return false;
    const records = Records.open(root, id, "try");
    try {
      // It may have been made anew meanwhile.
      if (records === undefined || isInUse(records.read())) return false;
      release(records);
      return true;
    } finally {
      records?.close();
    }
  });
  removeUnusedNetworks(root);
  return released;
}

const isInUse = (record: ReturnType<typeof Records.peek>): boolean => record !== undefined && isAlive(record);
