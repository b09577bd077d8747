import { compileConfinedHook } from "../init/compile.js";
import { entering } from "../init/compile-spawn.js";
import { Init } from "../launch/init.js";
import type { SignalPipe } from "../launch/signal-pipe.js";
import { ECONNREFUSED, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, keeping, quote, unlink, using } from "../linux/file.js";
import { waitReadable } from "../linux/process.js";
import { connectIn } from "../linux/socket.js";
import { SyscallError } from "../linux/syscall.js";
import { openCgroups } from "./cgroups.js";
import { destroy } from "./destroy.js";
import { gatherFacts } from "./facts.js";
import { namespaceTypes, pidInside, runHooks } from "./hooks.js";
import type { GlobalOptions } from "./options.js";
import { withProcess } from "./recorded-process.js";
import type { Saved } from "./saved.js";
import { passListener, seccompAgent } from "./seccomp-agent.js";
import { specState } from "./state.js";
import { START_SOCKET, StateDirectory } from "./state-directory.js";
import { type Status, statusOf } from "./status.js";

/** Starts a created container (runtime.md, "Start"). Throws Failure. */
export function start({ root, warn }: GlobalOptions, id: string): void {
  const directory = StateDirectory.open(root, id);
  const refuse = (status: Status) => new Failure(`cannot start container ${quote(id)}`, { cause: WHY[status] });
  // Whoever holds the lock may be creating it, which can take as long as hooks like.
  if (!directory.tryLock() && statusOf(directory.read()) === "creating") throw refuse("creating");
  const saved = directory.lock().read();
  const status = statusOf(saved);
  if (saved === undefined || status !== "created") throw refuse(status);
  startCreated(directory, saved, warn);
}

/** Why a container in a status cannot be started. Callers know the first two by runc. */
const WHY: Record<Status, string> = {
  running: "cannot start an already running container",
  stopped: "cannot start a container that has stopped",
  creating: "it has not been created completely",
  paused: "cannot start a container in the paused state",
  created: "",
};

/**
 * Lets a created container's init go on, and waits until it has executed the user's program or has told why it could
 * not. A hook that fails ends the container (config.md, "POSIX-platform Hooks"). Throws Failure.
 */
export function startCreated(
  directory: StateDirectory,
  saved: Saved,
  warn: (message: string) => void,
  signals?: SignalPipe,
): void {
  if (!saved.hasProcess)
    throw new Failure(`cannot start container ${quote(saved.id)}`, { cause: "its config has no process" });
  const { first, steps } = saved.rest;
  const init = new Init(saved.pid, saved.executable, connect(directory, saved.id), (number) => steps[number - first]);
  const orEnd = (run: () => void) => {
    try {
      run();
    } catch (error) {
      destroy(directory, saved, warn);
      throw error;
    }
  };
  try {
    for (let said = init.next(); said !== undefined; said = init.next()) {
      const { message, fd } = said;
      if (message === "starting") orEnd(() => runStartHooks(directory, saved, signals));
      else if (fd !== undefined) using(fd, (listener) => orEnd(() => passOn(directory, saved, listener)));
      init.go();
    }
    unlink(START_SOCKET, directory.fd);
    orEnd(() => runHooks("poststart", saved.hooks.poststart, { state: specState(saved, "running"), signals }));
  } catch (error) {
    // Init tells why it fails, and then ends: whoever is told of the one finds the other.
    withProcess(saved, (process) => waitReadable(process, PATIENCE));
    throw error;
  } finally {
    init.hangUp();
  }
}

/** Hands the listener of the filter that init has loaded to who decides on its system calls. */
function passOn(directory: StateDirectory, saved: Saved, listener: Fd): void {
  const agent = seccompAgent(directory.readConfig());
  // What has a filter but not yet its program is still being created: so runc says.
  if (agent !== undefined) passListener(agent, listener, saved.pid, specState(saved, "creating"));
}

/** The startContainer hooks run as the container's own process would, in its namespaces and cgroups. */
function runStartHooks(directory: StateDirectory, saved: Saved, signals: SignalPipe | undefined): void {
  const config = directory.readConfig();
  const agent = seccompAgent(config);
  keeping((keep) => {
    const cgroups = openCgroups(saved, keep);
    const options = { root: directory.root, id: saved.id, preserveFds: 0, newKeyring: false, pivot: true };
    const facts = gatherFacts(config, options, saved.bundle, cgroups.facts);
    runHooks("startContainer", config.hooks?.startContainer, {
      state: specState(saved, "created", pidInside(saved.pid)),
      join: { pid: saved.pid, types: namespaceTypes(config), enters: entering(config, cgroups.facts.into) },
      confine: (hook, from) => compileConfinedHook(config, hook, from, facts),
      ...(agent && { listen: (listener, pid) => passListener(agent, listener, pid, specState(saved, "creating")) }),
      cgroups,
      init: saved.pid,
      signals,
    });
  });
}

/** How long an init that has failed may take to end, in milliseconds. */
const PATIENCE = 2000;

function connect(directory: StateDirectory, id: string): number {
  try {
    return connectIn(directory.fd, START_SOCKET);
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === ECONNREFUSED || error.errno === ENOENT))
      throw new Failure(`cannot start container ${quote(id)}`, { cause: "its init does not wait any more" });
    throw error;
  }
}
