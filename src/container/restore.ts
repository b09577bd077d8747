import { setLimits } from "../cgroup/make-cgroup.js";
import { type CgroupPlan, withoutLimits } from "../cgroup/plan-cgroup.js";
import { converse } from "../criu/converse.js";
import type { Content } from "../criu/protobuf.js";
import type { Config } from "../generated/config.js";
import { AT_FDCWD, Builder, flags, text } from "../init/builder.js";
import { placedMounts } from "../init/places.js";
import { setAttributes } from "../init/target.js";
import { spawn } from "../launch/spawn.js";
import { C } from "../linux/constants.js";
import { close, type Fd, quote, readFile, using, writeFile } from "../linux/file.js";
import { openProcess, waitFor } from "../linux/process.js";
import { SIGKILL } from "../linux/signals.js";
import { sendDescriptor } from "../linux/socket.js";
import { attempt, sys } from "../linux/syscall.js";
import { copySize } from "../linux/terminal.js";
import { attend, takeSignals } from "./attend.js";
import { connectTo, requireConsole, writePidFile } from "./caller.js";
import { planCgroups } from "./cgroups.js";
import { type CriuOptions, checkDirectories, commonOptions, openDirectories, telling } from "./criu-options.js";
import { externalSources } from "./external-mounts.js";
import { restoredNamespaces } from "./external-namespaces.js";
import { restoredStreams } from "./external-streams.js";
import { rootOf } from "./facts.js";
import { findPlaces } from "./find-places.js";
import { runHooks, runStopHooks } from "./hooks.js";
import { makeMountPoints } from "./mount-points.js";
import { openNamespaces } from "./namespaces.js";
import { NewContainer } from "./new-container.js";
import type { CgroupManager, GlobalOptions } from "./options.js";
import { readBundle } from "./plan.js";
import { destroyOnce } from "./run.js";
import type { Saved } from "./saved.js";
import { specState } from "./state.js";
import type { StateDirectory } from "./state-directory.js";

/** What `restore` takes. */
export interface RestoreOptions extends GlobalOptions, CriuOptions {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  /** What makes the container's cgroups. */
  readonly cgroupManager: CgroupManager;
  /** Whether the command stays until the container ends. */
  readonly foreground: boolean;
  /** Whether to adopt the container's orphans. */
  readonly subreaper: boolean;
  /** The AppArmor profile or SELinux label to restore with, "apparmor:NAME" or "selinux:LABEL"; and mounts' labels. */
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

/**
 * Makes a container of a checkpoint's processes, which go on. In the foreground, waits for its end and deletes it.
 *
 * @returns the exit status of its first process; 0 for one that goes on in the background
 * @throws Failure; then there is no container
 */
export function restore(options: RestoreOptions): number {
  if (options.subreaper && options.foreground) sys("prctl", C.PR_SET_CHILD_SUBREAPER, 1);
  const signals = options.foreground ? takeSignals() : undefined;
  const { saved, directory, terminal } = restoreProcesses(options);
  directory.unlock();
  if (signals === undefined) return 0;
  try {
    if (terminal !== undefined) copySize(0, terminal);
    return attend(saved.pid, signals, terminal);
  } finally {
    if (terminal !== undefined) close(terminal);
    destroyOnce(directory, saved, options.warn);
  }
}

/** A container that was just restored; its directory is locked. */
interface Restored {
  readonly saved: Saved;
  readonly directory: StateDirectory;
  /** The terminal's controlling end, where no console socket took it. */
  readonly terminal?: Fd;
}

function restoreProcesses(options: RestoreOptions): Restored {
  const bundle = readBundle(options);
  const { config } = bundle;
  const rootfs = rootOf(config, bundle.bundle);
  requireConsole(config.process, options);
  const cgroups = planCgroups(config, options);
  const directories = checkDirectories(options, "restore.log", false);
  // Its limits are for the container, not for criu: they come when that is done.
  const beginning = { ...bundle, rootfs, cgroups: cgroups && withoutLimits(cgroups) };
  return NewContainer.make(options, options.id, beginning, (container) => {
    const { directory, undo, keep } = container;
    const { inherited, streams } = restoredStreams(directories.images, keep);
    container.record({ streams });
    const namespaces = openNamespaces(config);
    for (const type in namespaces) keep(namespaces[type]);
    const { consoleSocket } = options;
    const console = consoleSocket === undefined ? undefined : keep(connectTo("--console-socket", consoleSocket));
    const places = findPlaces(config, bundle.bundle, rootfs);
    container.record({ places: Object.fromEntries(places) });
    makeMountPoints(placedMounts(config, places), bundle.bundle, rootfs);
    undo.add(() => runStopHooks(container.saved, options.warn));
    undo.add(() => end(container.saved.pid));
    const sources = externalSources(config, places, bundle.bundle, cgroups);
    const { inherit_fd, join_ns } = restoredNamespaces(config, namespaces);
    const { lsmProfile, lsmMountContext } = options;
    const content: Content = {
      ...commonOptions(options, config, directories),
      root: rootfs,
      evasive_devices: true,
      rst_sibling: true,
      inherit_fd: [...inherited, ...inherit_fd],
      join_ns,
      ext_mnt: Object.entries(sources).map(([key, val]) => ({ key, val })),
      ...(lsmProfile !== undefined && { lsm_profile: lsmProfile }),
      ...(lsmMountContext !== undefined && { lsm_mount_context: lsmMountContext }),
    };
    const terminals: Fd[] = [];
    telling(`restore container ${quote(options.id)}`, directories, () =>
      converse({
        kind: "restore",
        content,
        inherited: [...Object.values(namespaces), ...inherited.map(({ fd }) => fd).filter((fd) => fd > 2)],
        root: rootfs,
        started: (pid) => ({ ...enterCgroups(pid, container, cgroups), ...openDirectories(pid, directories, keep) }),
        notified({ script, pid, fd }) {
          if (script === "setup-namespaces") runRuntimeHooks(container, config, pid);
          else if (script === "post-restore") {
            complete(container, config, pid, cgroups);
            writePidFile(options, pid);
          } else if (script === "orphan-pts-master" && fd !== undefined) {
            if (console === undefined) terminals.push(fd);
            else sendDescriptor(console, "/dev/pts/ptmx", keep(fd));
          }
        },
      }),
    );
    const [terminal] = terminals;
    return { saved: container.saved, directory, ...(terminal !== undefined && { terminal }) };
  });
}

/** Takes criu into the container's cgroups, and tells it by their paths where the processes belong. */
function enterCgroups(pid: number, container: NewContainer, cgroups: CgroupPlan | undefined): Content {
  container.admit(pid);
  if (cgroups?.unit === undefined)
    for (const { directory } of cgroups?.places ?? []) writeFile(`${directory}/cgroup.procs`, String(pid));
  const lines = readFile(`/proc/${pid}/cgroup`).trimEnd().split("\n");
  return {
    cg_root: lines.map((line) => {
      const [, ctrl, path] = /^\d+:([^:]*):(.*)$/.exec(line) as RegExpExecArray;
      return { ctrl, path };
    }),
  };
}

/** The container's namespaces are made: the hooks that are for that run. */
function runRuntimeHooks(container: NewContainer, { hooks }: Config, pid: number): void {
  container.recordProcess(pid);
  container.save();
  const setting = { state: specState(container.saved, "creating"), init: pid };
  runHooks("prestart", hooks?.prestart, setting);
  runHooks("createRuntime", hooks?.createRuntime, setting);
}

/** The container's processes are there, and stopped: they get what criu does not give them. */
function complete(container: NewContainer, { root }: Config, pid: number, cgroups: CgroupPlan | undefined): void {
  container.recordProcess(pid);
  container.record({ ready: true });
  if (root?.readonly) makeRootReadonly(pid);
  if (cgroups !== undefined) setLimits(cgroups);
  container.save();
}

/** Makes the root read-only, as it was: criu mounts it anew. */
function makeRootReadonly(pid: number): void {
  const b = new Builder();
  b.about("make the root file system read-only", "root.readonly");
  b.call("openat", [AT_FDCWD, text("/"), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], { into: "root" });
  setAttributes(b, "root", { set: ["MOUNT_ATTR_RDONLY"] });
  b.call("exit_group", [0]);
  const named = { what: "a process in the container's mount namespace", from: "root.readonly" };
  using(openProcess(pid), (process) =>
    waitFor(spawn({ ...named, executable: b.finish(), join: { process, types: ["mount"] } })),
  );
}

/** Ends what criu may have left of a container that could not be restored. */
function end(pid: number): void {
  if (pid === 0) return;
  attempt("kill", pid, SIGKILL);
  waitFor(pid);
}
