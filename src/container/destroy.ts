import { Cgroup } from "../cgroup/cgroup.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { pollFor, waitReadable } from "../linux/process.js";
import { SIGKILL } from "../linux/signals.js";
import { attempt, SyscallError } from "../linux/syscall.js";
import { removeResctrlGroup } from "../resctrl/resctrl-group.js";
import { putBack } from "./apart.js";
import { removeCgroups } from "./cgroups.js";
import { runStopHooks } from "./hooks.js";
import type { GlobalOptions } from "./options.js";
import { withProcess } from "./recorded-process.js";
import type { Saved } from "./saved.js";
import { NoContainer, StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/** Deletes a container (runtime.md, "Delete"): a stopped or a created one; with `force` any, and none is fine. */
export function remove({ root, warn }: GlobalOptions, id: string, force: boolean): void {
  let directory: StateDirectory;
  // What cannot be read any more is removed all the same, by force.
  const read = () => {
    try {
      return directory.read();
    } catch (error) {
      if (force && error instanceof Failure) return undefined;
      throw error;
    }
  };
  try {
    directory = StateDirectory.open(root, id);
    // A creation that hangs in a hook holds the lock: it ends when its init does.
    if (force) killInit(read());
    directory.lock();
  } catch (error) {
    if (force && error instanceof NoContainer) return;
    throw error;
  }
  const saved = read();
  const status = statusOf(saved);
  if (!force && (status === "running" || status === "paused"))
    throw new Failure(`cannot delete container ${quote(id)} that is not stopped`, {
      cause: status,
      hint: `\`fdrunc kill ${id} KILL\` stops it, \`fdrunc delete --force ${id}\` does both`,
    });
  if (saved === undefined) directory.remove();
  else destroy(directory, saved, warn);
}

/** Ends all that is left of a container and removes what was made for it; then runs its poststop hooks. */
export function destroy(directory: StateDirectory, saved: Saved, warn: (message: string) => void): void {
  killInit(saved);
  const cgroup = new Cgroup(saved.cgroup);
  // Where init was not the first of its process id namespace, or is not known yet, its end took nobody along.
  if (!saved.ownProcesses || saved.pid === 0) cgroup.signalAll(SIGKILL);
  removeCgroups(saved);
  putBack(directory);
  if (saved.resctrl !== undefined) removeResctrlGroup(saved.resctrl);
  directory.remove();
  runStopHooks(saved, warn);
}

/** How long a killed process may take to end, in milliseconds: one in uninterruptible sleep may take its time. */
const PATIENCE = 10_000;
/** How long to wait for its end before the container is looked at again, which may be paused meanwhile. */
const TURN = 100;

function killInit(saved: Saved | undefined): void {
  if (saved === undefined) return;
  const cgroup = new Cgroup(saved.cgroup);
  withProcess(saved, (process) => {
    attempt("pidfd_send_signal", process, SIGKILL, 0, 0);
    for (let left = PATIENCE; ; left -= TURN) {
      // In v1 even a killed process has to go on to end.
      cgroup.thaw();
      if (waitReadable(process, TURN)) break;
      if (left <= 0) throw new Failure(`process ${saved.pid} does not end, although it was killed`);
    }
    reap(saved.pid);
  });
}

/** Takes the status of a process that may be this one's child. */
function reap(pid: number): void {
  try {
    pollFor(pid);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}
