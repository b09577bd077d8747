import type { Resources } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { ESRCH } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { attemptWriteFile, close, exists, type Fd, open, readFile } from "../linux/file.js";
import { attempt, must } from "../linux/syscall.js";
import { applySettings } from "./apply-settings.js";
import { completeResources } from "./complete-resources.js";
import { freeze, isFrozen, thaw } from "./freezer.js";
import { orRestore } from "./or-restore.js";
import { refusal } from "./setting.js";
import { type Controllers, settingsFor } from "./settings.js";
import { updateUnit } from "./systemd/transient-unit.js";
import type { Unit } from "./systemd/unit.js";
import { processesIn, removeCgroup } from "./tree.js";

/** The directories of a container's cgroups: by v1 controller, "name=…" of a named v1 hierarchy, "" of v2. */
export type CgroupPaths = Readonly<Record<string, string>>;

/** How a process gets into the cgroups. */
export interface CgroupEntry {
  /**
   * Open `tasks` files of v1, by the hierarchy's first key in the paths. A thread that writes "0" to one moves itself;
   * that spares the kernel the lock that moving a whole process takes, which waits for all CPUs.
   */
  tasks: { name: string; fd: Fd }[];
  /** The v2 directory, for CLONE_INTO_CGROUP. */
  into?: Fd;
}

/** A container's cgroups. From the paths of a saved state they are found again. */
export class Cgroup {
  constructor(
    readonly paths: CgroupPaths,
    /** The unit by which systemd has made them, if it has. */
    private readonly unit?: Unit,
  ) {}

  /** The directories, each once: v1 controllers may share one. */
  get directories(): string[] {
    return [...new Set(Object.values(this.paths))];
  }

  /** Whether any of them exists. */
  get exists(): boolean {
    return this.directories.some((directory) => exists(directory));
  }

  /** The controllers that these cgroups have. */
  get controllers(): Controllers {
    const v2 = this.paths[""];
    return {
      v1: Object.keys(this.paths).filter((key) => key !== "" && !key.includes("=")),
      v2: v2 === undefined ? undefined : availableControllers(v2),
    };
  }

  /**
   * Changes limits; what the resources do not name stays, devices always: others may have added some since.
   *
   * @throws Failure by JSON path; then all limits are as they were
   */
  set(resources: Resources): void {
    const settings = settingsFor(completeResources(resources, this.paths), this.controllers);
    if (resources.memory?.checkBeforeUpdate) this.#checkMemory(Number(resources.memory.limit ?? 0));
    orRestore(settings, this.paths, () => {
      applySettings(settings, this.paths);
      if (this.unit === undefined) return;
      updateUnit(this.unit, settings);
      // systemd writes what it was told, quotas in whole percents.
      applySettings(settings, this.paths);
    });
  }

  /** v1 refuses by itself a limit below what is in use; v2 kills processes until it fits. */
  #checkMemory(limit: number): void {
    if (limit <= 0 || this.paths.memory !== undefined) return;
    const usage = Number(readFile(`${this.paths[""]}/memory.current`));
    if (usage > limit) throw refusal("memory.limit", `the cgroup's processes use ${usage} bytes`);
  }

  /** Opens the way in. The caller closes the descriptors. Throws SyscallError. */
  openEntry(): CgroupEntry {
    const tasks: CgroupEntry["tasks"] = [];
    const v2 = this.paths[""];
    const keys = Object.keys(this.paths);
    try {
      for (const directory of this.directories) {
        const name = keys.find((key) => this.paths[key] === directory) as string;
        if (directory !== v2) tasks.push({ name, fd: open(`${directory}/tasks`, C.O_WRONLY) });
      }
      return { tasks, ...(v2 !== undefined && { into: open(v2, C.O_PATH | C.O_DIRECTORY) }) };
    } catch (error) {
      for (const { fd } of tasks) close(fd);
      throw error;
    }
  }

  /** Stops all processes and returns when they have stopped. Throws Failure. */
  freeze(): void {
    const [directory, version] = this.#freezer ?? [];
    if (!directory || !version) throw new Failure("the container has no cgroup that can stop its processes");
    freeze(directory, version);
  }

  /** Lets the processes go on. Throws SyscallError. */
  thaw(): void {
    if (this.#freezer) thaw(...this.#freezer);
  }

  get isFrozen(): boolean {
    return this.#freezer !== undefined && isFrozen(...this.#freezer);
  }

  /** The directory of the cgroup that stops the processes; undefined where none can. */
  get freezerDirectory(): string | undefined {
    return this.#freezer?.[0];
  }

  get #freezer(): [directory: string, version: 1 | 2] | undefined {
    const { freezer, "": v2 } = this.paths;
    if (freezer !== undefined) return [freezer, 1];
    return v2 === undefined ? undefined : [v2, 2];
  }

  /** The ids of all processes, those in cgroups below included. Throws SyscallError. */
  processes(): number[] {
    const directory = this.#freezer?.[0] ?? this.directories[0];
    // A process of a pid namespace that cannot be seen from here is listed as 0.
    return directory === undefined ? [] : processesIn(directory).filter((pid) => pid > 0);
  }

  /** Sends a signal to all processes, stopped meanwhile so that none is missed. Does not wait for their end. */
  signalAll(signal: number): void {
    const v2 = this.paths[""];
    if (signal === SIGKILL && v2 !== undefined && attemptWriteFile(`${v2}/cgroup.kill`, "1") === 0) return;
    const frozen = this.isFrozen;
    const stopped = frozen || this.#tryFreeze();
    try {
      this.#signalEach(signal);
    } finally {
      // In v1 even a killed process has to go on to end.
      if (stopped && (!frozen || signal === SIGKILL)) this.thaw();
    }
  }

  /** Stops the processes if that can be done; if not, a signal reaches them all the same. */
  #tryFreeze(): boolean {
    try {
      this.freeze();
      return true;
    } catch {
      return false;
    }
  }

  #signalEach(signal: number): void {
    this.reachAll((pid) => {
      const result = attempt("kill", pid, signal);
      if (result !== -ESRCH) must("kill", `signal process ${pid}`, result);
    });
  }

  /** Does something to each process, those included that are made meanwhile. Throws SyscallError, and what `act` throws. */
  reachAll(act: (pid: number) => void): void {
    const reached = new Set<number>();
    for (let round = 0; round < ROUNDS; round++) {
      const left = this.processes().filter((pid) => !reached.has(pid));
      if (left.length === 0) return;
      for (const pid of left) {
        act(pid);
        reached.add(pid);
      }
    }
  }

  /** Removes the cgroups and all below them; absent is fine. Throws Failure where processes are left. */
  remove(): void {
    let failure: unknown;
    for (const directory of this.directories) {
      try {
        // What the first could not wait for, the others need not either.
        removeCgroup(directory, failure === undefined);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}

const SIGKILL = 9;

/** How often to look for processes that were made while others had their turn. */
const ROUNDS = 100;

/** The controllers that a v2 directory has. Throws SyscallError. */
export const availableControllers = (directory: string): string[] =>
  readFile(`${directory}/cgroup.controllers`).split(/\s+/).filter(Boolean);
