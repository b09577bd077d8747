import { Cgroup } from "../cgroup/cgroup.js";
import type { Resources } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { GlobalOptions } from "./options.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/**
 * Changes limits of a container that has not stopped; what the resources do not name stays, and devices stay always.
 *
 * @throws Failure, by JSON path where it is about a property; then all limits are as they were
 */
export function update({ root }: GlobalOptions, id: string, resources: Resources): void {
  const saved = StateDirectory.open(root, id).read();
  const status = statusOf(saved);
  if (saved === undefined || status === "creating" || status === "stopped")
    throw new Failure(`cannot update container ${quote(id)}`, {
      cause: `container not running (its status is ${status})`,
    });
  const { memory } = resources;
  const checked = memory && { checkBeforeUpdate: saved.checkMemory, ...memory };
  new Cgroup(saved.cgroup).set({ ...resources, ...(checked && { memory: checked }) });
}
