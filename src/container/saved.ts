import type { CgroupPaths } from "../cgroup/cgroup.js";
import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import type { Unit } from "../cgroup/systemd/unit.js";
import { makesNamespace } from "../config/rules/namespaces.js";
import type { Config, Hooks } from "../generated/config.js";
import type { ToldStep } from "../launch/init.js";
import { sys } from "../linux/syscall.js";
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
  /** Whether its processes get a session keyring of their own. */
  readonly newKeyring: boolean;
  /** Whether there is a program to start. */
  readonly hasProcess: boolean;
  /** What its standard streams were when it was made, as `streamNames` has it; earlier builds noted none. */
  readonly streams?: readonly string[];
  /** Where paths of its config led that have links in them, as `Places` has it: the container may have changed the links since. */
  readonly places?: Readonly<Record<string, string>>;
  readonly cgroup: CgroupPaths;
  /** The unit that systemd makes its cgroups by; has made, once there are any. */
  readonly unit?: Unit;
  /** The config's memory.checkBeforeUpdate, which holds for updates that do not say otherwise. */
  readonly checkMemory: boolean;
  /** Its place in resctrl, where it has one. */
  readonly resctrl?: ResctrlGroup;
  /** The steps that init has yet to make when it waits for `start`, and the number of the first. */
  readonly rest: { readonly first: number; readonly steps: readonly ToldStep[] };
}

/** The record of a container that is being made: as yet without a process, and with nothing to start. */
export const newRecord = (
  id: string,
  {
    config,
    bundle,
    rootfs,
    cgroups,
  }: {
    readonly config: Config;
    readonly bundle: string;
    readonly rootfs: string;
    readonly cgroups: CgroupPlan | undefined;
  },
): Saved => ({
  ociVersion: config.ociVersion,
  id,
  pid: 0,
  executable: "",
  startTime: 0,
  bundle,
  rootfs,
  created: new Date().toISOString(),
  owner: sys("geteuid"),
  annotations: config.annotations ?? {},
  hooks: config.hooks ?? {},
  ready: false,
  ownProcesses: makesNamespace(config, "pid"),
  newKeyring: true,
  hasProcess: config.process !== undefined,
  streams: [],
  // Those that systemd makes are the container's from then on.
  cgroup: cgroups?.unit === undefined ? (cgroups?.cgroup.paths ?? {}) : {},
  ...(cgroups?.unit && { unit: cgroups.unit.unit }),
  checkMemory: config.linux?.resources?.memory?.checkBeforeUpdate ?? false,
  rest: { first: 0, steps: [] },
});
