import type { State } from "../generated/state.js";
import { userName } from "../linux/user-name.js";
import type { Saved } from "./saved.js";
import { type Status, statusOf } from "./status.js";

/** A container's state as the specification has it (runtime.md, "State"): what hooks are told. */
export function specState(saved: Saved, status: State["status"], pid = saved.pid): State {
  const { ociVersion, id, bundle, annotations } = saved;
  const known = { ociVersion, id, status, pid, bundle };
  return Object.keys(annotations).length === 0 ? known : { ...known, annotations };
}

/** What `state` and `list` print: the specification's properties and runc's, in runc's order. */
export interface FullState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** A container's state, in full. A stopped container has process id 0. */
export function fullState(saved: Saved): FullState {
  const { ociVersion, id, bundle, rootfs, created, annotations, owner } = saved;
  const status = statusOf(saved);
  return {
    ociVersion,
    id,
    pid: status === "stopped" ? 0 : saved.pid,
    status,
    bundle,
    rootfs,
    created,
    ...(Object.keys(annotations).length > 0 && { annotations }),
    owner: owner === 0 ? "root" : (userName(owner) ?? String(owner)),
  };
}
