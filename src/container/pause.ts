import { Cgroup } from "../cgroup/cgroup.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { GlobalOptions } from "./options.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/** Stops all processes of a created or running container. Throws Failure. */
export function pause({ root }: GlobalOptions, id: string): void {
  const saved = StateDirectory.open(root, id).read();
  const status = statusOf(saved);
  if (saved === undefined || (status !== "created" && status !== "running"))
    throw new Failure(`cannot pause container ${quote(id)}`, {
      cause: `container not running (its status is ${status})`,
    });
  new Cgroup(saved.cgroup).freeze();
}

/** Lets the processes of a paused container go on. Throws Failure. */
export function resume({ root }: GlobalOptions, id: string): void {
  const saved = StateDirectory.open(root, id).read();
  const status = statusOf(saved);
  if (saved === undefined || status !== "paused")
    throw new Failure(`cannot resume container ${quote(id)}`, {
      cause: `container not paused (its status is ${status})`,
    });
  new Cgroup(saved.cgroup).thaw();
}
