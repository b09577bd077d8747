import { Cgroup } from "../cgroup/cgroup.js";
import type { Resources } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { enterResctrlGroup, makeResctrlGroup, planResctrlGroup } from "../resctrl/resctrl-group.js";
import { resctrlRoot } from "../resctrl/resctrl-root.js";
import { type NameOf, type Schemata, writeSchemata } from "../resctrl/schemata.js";
import type { GlobalOptions } from "./options.js";
import type { Saved } from "./saved.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/** Schemas of resctrl, and how they are called in errors. */
export interface Shares {
  readonly schemata: Schemata;
  readonly nameOf: NameOf;
}

/**
 * Changes limits of a container that has not stopped; what the resources do not name stays, and devices stay always.
 *
 * @param shares what it is to have of caches and memory bandwidth, where that changes
 * @throws Failure, by JSON path where it is about a property; then all limits of its cgroups are as they were
 */
export function update({ root }: GlobalOptions, id: string, resources: Resources, shares?: Shares): void {
  const directory = StateDirectory.open(root, id);
  const saved = readAlive(directory);
  if (shares !== undefined) share(directory, saved, shares);
  const { memory } = resources;
  const checked = memory && { checkBeforeUpdate: saved.checkMemory, ...memory };
  new Cgroup(saved.cgroup, saved.unit).set({ ...resources, ...(checked && { memory: checked }) });
}

function readAlive(directory: StateDirectory): Saved {
  const saved = directory.read();
  const status = statusOf(saved);
  if (saved === undefined || status === "creating" || status === "stopped")
    throw new Failure(`cannot update container ${quote(directory.id)}`, {
      cause: `container not running (its status is ${status})`,
    });
  return saved;
}

/** Changes the shares of a container's class of service; where it has none yet, makes one for it. Throws Failure. */
function share(directory: StateDirectory, known: Saved, { schemata, nameOf }: Shares): void {
  // Another update may just be making one.
  const saved = known.resctrl === undefined ? readAlive(directory.lock()) : known;
  if (saved.resctrl !== undefined) {
    writeSchemata(saved.resctrl.root, saved.resctrl.directory, schemata, nameOf);
    return;
  }
  const group = planResctrlGroup(resctrlRoot(), saved.id, {});
  const undo = makeResctrlGroup(group, {});
  try {
    writeSchemata(group.root, group.directory, schemata, nameOf);
    for (const pid of new Set([saved.pid, ...new Cgroup(saved.cgroup).processes()])) enterResctrlGroup(group, pid);
    directory.save({ ...saved, resctrl: group });
  } catch (error) {
    undo();
    throw error;
  }
}
