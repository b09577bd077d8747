import { Cgroup } from "../cgroup/cgroup.js";
import { STOP_SIGNAL } from "../config/rules/annotations.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { SIGKILL, SIGTERM, signalNumber } from "../linux/signals.js";
import { sys } from "../linux/syscall.js";
import type { GlobalOptions } from "./options.js";
import { withProcess } from "./recorded-process.js";
import type { Saved } from "./saved.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/**
 * Sends a signal to a container's init (runtime.md, "Kill"), or to all its processes. Throws Failure unless it is
 * created or running; with `all`, a stopped one is fine.
 *
 * @param wanted the signal; undefined: the one that the config names for that, or SIGTERM
 */
export function kill({ root }: GlobalOptions, id: string, wanted: number | undefined, all: boolean): void {
  const saved = StateDirectory.open(root, id).read();
  const status = statusOf(saved);
  const signal = wanted ?? signalNumber(saved?.annotations[STOP_SIGNAL] ?? "") ?? SIGTERM;
  const processes = new Cgroup(saved?.cgroup ?? {});
  const alive = saved !== undefined && status !== "creating" && status !== "stopped";
  if (!alive && !all) {
    throw new Failure(`cannot kill container ${quote(id)}`, {
      cause: `container not running (its status is ${status})`,
    });
  }
  if (!alive || wantsAll(saved, signal, all)) {
    processes.signalAll(signal);
    return;
  }
  // Between the look at its status and this the process may have ended, and its id be another's.
  withProcess(saved, (process) => sys("pidfd_send_signal", process, signal, 0, 0));
  // In v1 even a killed process has to go on to end.
  if (status === "paused" && signal === SIGKILL) processes.thaw();
}

/** Where init is not the first of its process id namespace, its death takes nobody along. Without cgroups only init is known. */
const wantsAll = ({ ownProcesses, cgroup }: Saved, signal: number, all: boolean): boolean =>
  (all || (signal === SIGKILL && !ownProcesses)) && Object.keys(cgroup).length > 0;
