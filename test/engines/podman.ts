import { mkdirSync, writeFileSync } from "node:fs";
import { CRIU_ENV } from "../system/criu.js";
import { imageArchive } from "./image.js";
import type { Outcome, Place, Running } from "./place.js";
import { follow, install, readmeLines } from "./readme-lines.js";
import { succeeds } from "./suite.js";

/** The image that containers are made of. */
export const IMAGE = "docker.io/library/box:1";

/**
 * Limits as everybody may have them, no journal to log to, and runtimes that are not installed by a line of the README.
 */
const CONFIG = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=32768:32768"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc = ["/usr/sbin/runc"]
crun = ["/usr/bin/crun"]
`;

/** A runtime by its name in the configuration, or by its path. */
interface Known {
  readonly name: string;
}

/** podman, which has no process of its own: each call of it is one. */
export class Podman {
  private constructor(
    readonly place: Place,
    readonly title: string,
  ) {}

  static async open(place: Place): Promise<Podman> {
    install(place);
    mkdirSync(place.outside("/etc/containers"), { recursive: true });
    writeFileSync(place.outside("/etc/containers/containers.conf"), CONFIG);
    succeeds(follow(place, readmeLines("podman")[0]));
    const [version] = /[\d.]+/.exec(succeeds(place.run(["podman", "--version"]))) ?? [];
    const engine = new Podman(place, `podman ${version}`);
    writeFileSync(place.path("image.tar"), imageArchive(IMAGE));
    succeeds(engine.podman("load", "--quiet", "--input", place.path("image.tar")));
    return engine;
  }

  podman(...args: string[]): Outcome {
    return this.call(args);
  }

  call(args: readonly string[], running: Running = {}): Outcome {
    return this.place.run(["podman", ...args], { ...running, env: { ...CRIU_ENV, ...running.env } });
  }

  /** What podman puts out; it must succeed. */
  ok(...args: string[]): string {
    return succeeds(this.podman(...args));
  }

  /** Arguments that make a container, in the place's cgroups and without a network. */
  create(runtime: Known, command: "run" | "create", ...args: string[]): string[] {
    const network = args.some((arg) => /^--(network|net|pod|publish)=/.test(arg)) ? [] : ["--network=none"];
    return ["--runtime", runtime.name, command, `--cgroup-parent=/${this.place.tag}`, ...network, ...args];
  }

  /** Runs a container to its end, and removes it. Takes podman's options, and the command. */
  run(runtime: Known, options: readonly string[], ...command: string[]): Outcome {
    return this.call(this.create(runtime, "run", "--rm", ...options, IMAGE, ...command));
  }

  /** What a shell in a container puts out; it must succeed. */
  sh(runtime: Known, options: readonly string[], script: string): string {
    return succeeds(this.run(runtime, options, "sh", "-c", script));
  }

  /** Leaves a container "c" behind that runs. */
  start(runtime: Known, options: readonly string[] = [], ...command: string[]): void {
    const args = command.length > 0 ? command : ["sleep", "1000"];
    succeeds(this.call(this.create(runtime, "run", "--detach", "--name=c", ...options, IMAGE, ...args)));
  }

  /** What a template makes of what podman knows of a container. */
  inspect(template: string, container = "c"): string {
    return this.ok("inspect", `--format=${template}`, container).trim();
  }

  tidy(): void {
    this.podman("pod", "rm", "--all", "--force", "--time=0");
    succeeds(this.podman("rm", "--all", "--force", "--time=0", "--volumes"));
    succeeds(this.podman("volume", "rm", "--all", "--force"));
  }
}
