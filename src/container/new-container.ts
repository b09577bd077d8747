import { completeUnit, enterDelegated, makeCgroup } from "../cgroup/make-cgroup.js";
import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import { startUnit } from "../cgroup/systemd/transient-unit.js";
import { type Fd, keeping } from "../linux/file.js";
import { enterResctrlGroup, makeResctrlGroup, planResctrlGroup } from "../resctrl/resctrl-group.js";
import { resctrlRoot } from "../resctrl/resctrl-root.js";
import { hasCgroups, removeCgroups } from "./cgroups.js";
import type { GlobalOptions } from "./options.js";
import type { Bundle } from "./plan.js";
import { recordProcess } from "./recorded-process.js";
import { newRecord, type Saved } from "./saved.js";
import { StateDirectory } from "./state-directory.js";
import { Undo } from "./undo.js";

/** What is known of a container before anything of it is made. */
export interface Beginning extends Bundle {
  readonly rootfs: string;
  readonly cgroups: CgroupPlan | undefined;
  /** What its record has beside. */
  readonly record?: Partial<Saved>;
}

/** A container that is being made: its directory and record, its cgroups, and how all that is undone. */
export class NewContainer {
  private constructor(
    private readonly cgroups: CgroupPlan | undefined,
    /** Locked until the container is made. */
    readonly directory: StateDirectory,
    /** What is known of it, which `save` keeps. */
    public saved: Saved,
    /** What takes back what was made, if anything fails. */
    readonly undo: Undo,
    /** Takes descriptors that nobody needs once the container is made, or not. */
    readonly keep: (fd: Fd) => Fd,
  ) {}

  /**
   * Makes what a container has before it has a process, and has `complete` do the rest. Throws Failure, and what
   * `complete` throws; then nothing is left.
   */
  static make<T>(
    { root }: GlobalOptions,
    id: string,
    beginning: Beginning,
    complete: (container: NewContainer) => T,
  ): T {
    const { config, text, cgroups, record } = beginning;
    const { intelRdt } = config.linux ?? {};
    const resctrl = intelRdt && planResctrlGroup(resctrlRoot(), id, intelRdt);
    const undo = new Undo();
    return keeping((keep) => {
      try {
        const directory = StateDirectory.create(root, id);
        undo.add(() => directory.remove());
        directory.saveConfig(text);
        const saved = { ...newRecord(id, beginning), ...record, ...(resctrl && { resctrl }) };
        directory.save(saved);
        const container = new NewContainer(cgroups, directory, saved, undo, keep);
        if (cgroups?.unit !== undefined)
          undo.add(() => {
            if (hasCgroups(container.saved.cgroup)) removeCgroups(container.saved);
          });
        else if (cgroups !== undefined) undo.add(makeCgroup(cgroups));
        if (resctrl && intelRdt) undo.add(makeResctrlGroup(resctrl, intelRdt));
        return complete(container);
      } catch (error) {
        undo.run();
        throw error;
      }
    });
  }

  /** Adds to what is known of it. */
  record(more: Partial<Saved>): void {
    this.saved = { ...this.saved, ...more };
  }

  /** Records which process is its first. */
  recordProcess(pid: number): void {
    this.saved = recordProcess(this.saved, pid);
  }

  save(): void {
    this.directory.save(this.saved);
  }

  /** Puts a process to where the container's belong: where systemd makes that, it does so now. Throws Failure. */
  admit(pid: number): void {
    const { cgroups, saved } = this;
    if (cgroups?.unit !== undefined) {
      startUnit(cgroups.unit, pid);
      this.record({ cgroup: cgroups.cgroup.paths });
      this.save();
      completeUnit(cgroups, pid);
    }
    if (saved.resctrl !== undefined) enterResctrlGroup(saved.resctrl, pid);
  }

  /** Puts its process to where that may make cgroups of its own, if there is such a place. Throws SyscallError. */
  delegate(): void {
    if (this.cgroups !== undefined) enterDelegated(this.cgroups, this.saved.pid);
  }
}
