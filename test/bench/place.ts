import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupHierarchies } from "../../src/cgroup/hierarchy.js";
import { defaultConfig } from "../../src/config/defaults.js";
import type { Config, Resources, Seccomp } from "../../src/generated/config.js";
import type { Runtime } from "./runtimes.js";
import { type Act, Stopwatch } from "./stopwatch.js";

/** What a bundle has beside the default config. */
export interface Extras {
  readonly resources?: Resources;
  readonly seccomp?: Seccomp;
  /** The program and its arguments, instead of /bin/true. */
  readonly args?: string[];
  /** The container that it is for: its cgroups have that name. */
  readonly id?: string;
}

/** The name of the container, where there is one at a time. */
const ID = "fdrunc-bench";

/** Where the bench's containers live: a directory, and cgroups of the bench's own. */
export class Place {
  /** All else lies in it. No component of its path is a symbolic link: runc refuses such a root. */
  private readonly directory = mkdtempSync(join(realpathSync(tmpdir()), "fdrunc-bench-"));
  private readonly rootfs = join(this.directory, "rootfs");
  /** Below the mount point of every hierarchy. */
  private readonly cgroup = `fdrunc-bench-${process.pid}`;
  private stopwatches = 0;

  constructor() {
    for (const name of ["bin", "dev", "proc", "sys"]) mkdirSync(join(this.rootfs, name), { recursive: true });
    copyFileSync("/bin/busybox", join(this.rootfs, "bin/busybox"));
    for (const name of ["true", "sleep"]) symlinkSync("busybox", join(this.rootfs, "bin", name));
  }

  /** Writes a bundle, the same for all runtimes: the default config, with /bin/true unless told. Returns its directory. */
  bundle(name: string, { resources, seccomp, args = ["/bin/true"], id = "container" }: Extras = {}): string {
    const { process, root, linux, ...rest } = defaultConfig();
    const config: Config = {
      ...rest,
      process: { ...process, cwd: "/", terminal: false, args },
      root: { ...root, path: this.rootfs },
      linux: {
        ...linux,
        cgroupsPath: `/${this.cgroup}/${id}`,
        resources: { ...linux?.resources, ...resources },
        ...(seccomp && { seccomp }),
      },
    };
    const directory = this.path(name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "config.json"), JSON.stringify(config));
    return directory;
  }

  /** A path in the place's directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** The command line that has a runtime do something to the container. */
  command(runtime: Runtime, verb: string, ...options: string[]): string[] {
    return this.bare(runtime, verb, ...options, ID);
  }

  /** The command line that has a runtime do something, with arguments as given. */
  bare({ name, command }: Runtime, verb: string, ...args: string[]): string[] {
    return [...command, "--root", this.path(`state-${name}`), verb, ...args];
  }

  stopwatch(...acts: Act[]): Stopwatch {
    return new Stopwatch(this.path(`stopwatch-${this.stopwatches++}`), acts);
  }

  /** Removes what a command that failed may have left of the container. */
  clean(runtime: Runtime): void {
    try {
      this.stopwatch(this.command(runtime, "delete", "--force")).measure();
    } catch {
      // There was nothing to delete.
    }
  }

  remove(): void {
    for (const { mountPoint } of cgroupHierarchies()) {
      const parent = join(mountPoint, this.cgroup);
      for (const directory of [join(parent, "container"), parent]) if (existsSync(directory)) rmdirSync(directory);
    }
    rmSync(this.directory, { recursive: true });
  }
}
