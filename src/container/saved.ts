import type { CgroupPaths } from "../cgroup/cgroup.js";
import type { Hooks } from "../generated/config.js";
import type { ToldStep } from "../launch/init.js";
import type { ResctrlGroup } from "../resctrl/resctrl-group.js";

/** What is kept of a container between commands: `state.json` in its directory. */
export interface Saved {
  readonly ociVersion: string;
  readonly id: string;
  /** Init's process id and start time (proc(5), /proc/PID/stat field 22); 0 while there is no process yet. */
  readonly pid: number;
  readonly startTime: number;
  /** Which file init executes before the user's program: its file system's device and its inode. */
  readonly executable: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** When it was created: RFC 3339, UTC. */
  readonly created: string;
  /** The user id that created it. */
  readonly owner: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hooks: Hooks;
  /** Whether init has come as far as it goes before `start`. */
  readonly ready: boolean;
  /** Whether its processes are in a process id namespace of their own, which ends with init. */
  readonly ownProcesses: boolean;
  /** Whether there is a program to start. */
  readonly hasProcess: boolean;
  readonly cgroup: CgroupPaths;
  /** The config's memory.checkBeforeUpdate, which holds for updates that do not say otherwise. */
  readonly checkMemory: boolean;
  /** Its place in resctrl, where it has one. */
  readonly resctrl?: ResctrlGroup;
  /** The steps that init has yet to make when it waits for `start`, and the number of the first. */
  readonly rest: { readonly first: number; readonly steps: readonly ToldStep[] };
}
