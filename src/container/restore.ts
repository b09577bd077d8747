import { applySettings } from "../cgroup/apply-settings.js";
import { makeCgroup } from "../cgroup/make-cgroup.js";
import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import { converse, type Notice } from "../criu/converse.js";
import type { Content } from "../criu/protobuf.js";
import { AT_FDCWD, Builder, flags, text } from "../init/builder.js";
import { setAttributes } from "../init/target.js";
import { spawn } from "../launch/spawn.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, quote, readFile, using, writeFile } from "../linux/file.js";
import { openProcess, waitFor } from "../linux/process.js";
import { SIGKILL } from "../linux/signals.js";
import { sendDescriptor } from "../linux/socket.js";
import { attempt, sys } from "../linux/syscall.js";
import { copySize } from "../linux/terminal.js";
import { enterResctrlGroup, makeResctrlGroup, planResctrlGroup } from "../resctrl/resctrl-group.js";
import { resctrlRoot } from "../resctrl/resctrl-root.js";
import { attend, takeSignals } from "./attend.js";
import { connectTo, requireConsole, writePidFile } from "./caller.js";
import { planCgroups } from "./cgroups.js";
import { type CriuOptions, checkDirectories, commonOptions, openDirectories, telling } from "./criu-options.js";
import { externalSources } from "./external-mounts.js";
import { restoredNamespaces } from "./external-namespaces.js";
import { inheritedStreams } from "./external-streams.js";
import { rootOf } from "./facts.js";
import { runHooks, runStopHooks } from "./hooks.js";
import { makeMountPoints } from "./mount-points.js";
import { openNamespaces } from "./namespaces.js";
import type { CgroupManager, GlobalOptions } from "./options.js";
import { readBundle } from "./plan.js";
import { recordProcess } from "./recorded-process.js";
import { destroyOnce } from "./run.js";
import { newRecord, type Saved } from "./saved.js";
import { specState } from "./state.js";
import { StateDirectory } from "./state-directory.js";
import { Undo } from "./undo.js";

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
  const { id, lsmProfile, lsmMountContext } = options;
  const { config, text, bundle } = readBundle(options);
  const rootfs = rootOf(config, bundle);
  if (options.cgroupManager === "systemd")
    throw new Failure(`restore container ${quote(id)}`, {
      cause: "systemd as the manager of cgroups cannot be given restored processes",
      hint: "--cgroup-manager cgroupfs makes the cgroups without it",
    });
  requireConsole(config.process, options);
  const cgroups = planCgroups(config, options);
  const { intelRdt } = config.linux ?? {};
  const resctrl = intelRdt && planResctrlGroup(resctrlRoot(), id, intelRdt);
  const undo = new Undo();
  const opened: Fd[] = [];
  const keep = (fd: Fd): Fd => {
    opened.push(fd);
    return fd;
  };
  try {
    const directories = checkDirectories(options, "restore.log", false);
    const streams = inheritedStreams(directories.images);
    const directory = StateDirectory.create(options.root, id);
    undo.add(() => directory.remove());
    directory.saveConfig(text);
    let saved: Saved = { ...newRecord(id, config, bundle, rootfs, cgroups), ...(resctrl && { resctrl }) };
    directory.save(saved);
    // Its limits are for the container, not for criu: they come when that is done.
    if (cgroups !== undefined) undo.add(makeCgroup({ ...cgroups, settings: [] }));
    if (resctrl && intelRdt) undo.add(makeResctrlGroup(resctrl, intelRdt));
    const namespaces = openNamespaces(config);
    for (const type in namespaces) keep(namespaces[type]);
    const { inherit_fd, join_ns } = restoredNamespaces(config, namespaces);
    const console =
      options.consoleSocket === undefined ? undefined : keep(connectTo("--console-socket", options.consoleSocket));
    makeMountPoints(config, bundle, rootfs);
    undo.add(() => runStopHooks(saved, options.warn));
    undo.add(() => end(saved.pid));
    const sources = externalSources(config, bundle, rootfs, cgroups);
    let terminal: Fd | undefined;
    const steps: Record<string, (notice: Notice) => void> = {
      "setup-namespaces"({ pid }) {
        saved = recordProcess(saved, pid);
        directory.save(saved);
        const setting = { state: specState(saved, "creating"), init: pid };
        runHooks("prestart", config.hooks?.prestart, setting);
        runHooks("createRuntime", config.hooks?.createRuntime, setting);
      },
      "orphan-pts-master"({ fd }) {
        if (fd === undefined) return;
        if (console === undefined) terminal = fd;
        else sendDescriptor(console, "/dev/pts/ptmx", keep(fd));
      },
      "post-restore"({ pid }) {
        saved = { ...recordProcess(saved, pid), ready: true };
        if (config.root?.readonly) makeRootReadonly(pid);
        if (cgroups !== undefined) applySettings(cgroups.settings, cgroups.cgroup.paths);
        directory.save(saved);
        writePidFile(options, pid);
      },
    };
    telling(`restore container ${quote(id)}`, directories, () =>
      converse({
        kind: "restore",
        content: {
          ...commonOptions(options, config, directories),
          root: rootfs,
          evasive_devices: true,
          rst_sibling: true,
          inherit_fd: [...streams, ...inherit_fd],
          join_ns,
          ext_mnt: Object.entries(sources).map(([key, val]) => ({ key, val })),
          ...(lsmProfile !== undefined && { lsm_profile: lsmProfile }),
          ...(lsmMountContext !== undefined && { lsm_mount_context: lsmMountContext }),
        },
        inherited: Object.values(namespaces),
        root: rootfs,
        started(pid) {
          if (resctrl) enterResctrlGroup(resctrl, pid);
          return { ...enterCgroups(pid, cgroups), ...openDirectories(pid, directories, keep) };
        },
        notified: (notice) => steps[notice.script]?.(notice),
      }),
    );
    return { saved, directory, ...(terminal !== undefined && { terminal }) };
  } catch (error) {
    undo.run();
    throw error;
  } finally {
    for (const fd of opened) close(fd);
  }
}

/** Takes criu into the container's cgroups, and tells it by their paths where the processes belong. */
function enterCgroups(pid: number, cgroups: CgroupPlan | undefined): Content {
  for (const { directory } of cgroups?.places ?? []) writeFile(`${directory}/cgroup.procs`, String(pid));
  const lines = readFile(`/proc/${pid}/cgroup`).trimEnd().split("\n");
  return {
    cg_root: lines.map((line) => {
      const [, ctrl, path] = /^\d+:([^:]*):(.*)$/.exec(line) as RegExpExecArray;
      return { ctrl, path };
    }),
  };
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
