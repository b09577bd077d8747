import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { sleep } from "../../src/linux/sleep.js";
import { eventually } from "../system/harness.js";
import { imageArchive } from "./image.js";
import type { Daemon, Outcome, Place } from "./place.js";
import type { Runtime } from "./runtime.js";
import { answers, succeeds } from "./suite.js";

/** The image that containers are made of. */
export const IMAGE = "docker.io/library/box:1";

const CONFIG = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n';

/** containerd, driven by ctr, in a namespace named like the place. */
export class Containerd {
  private constructor(
    readonly place: Place,
    private daemon: Daemon,
    readonly title: string,
  ) {}

  static async open(place: Place): Promise<Containerd> {
    writeFileSync(place.path("image.tar"), imageArchive(IMAGE));
    const daemon = await startContainerd(place);
    const [, version] = /Server:\s+Version:\s+([\d.]+)/.exec(succeeds(place.run(["ctr", "version"]))) ?? [];
    const engine = new Containerd(place, daemon, `containerd ${version}`);
    succeeds(engine.ctr("images", "import", place.path("image.tar")));
    return engine;
  }

  ctr(...args: string[]): Outcome {
    return this.place.run(this.command(...args));
  }

  /** The command line of ctr. */
  readonly command = (...args: string[]): string[] => ["ctr", "--namespace", this.place.tag, ...args];

  /** The options of `ctr run` that choose a runtime. */
  readonly use = (runtime: Runtime): string[] => ["--runc-binary", runtime.path];

  /** The status of a container's task: "RUNNING". Undefined without one. */
  status(id: string): string | undefined {
    return new RegExp(`^${id} +\\d+ +(\\w+)`, "m").exec(succeeds(this.ctr("tasks", "list")))?.[1];
  }

  /** The lines of `ctr events` about what happens meanwhile. */
  async events(happen: () => void): Promise<string> {
    const { kill, ended } = this.place.start(this.command("events"));
    // It says nothing when it begins to listen.
    await new Promise((resolve) => setTimeout(resolve, 500));
    happen();
    await new Promise((resolve) => setTimeout(resolve, 500));
    kill("SIGINT");
    return (await ended).stdout;
  }

  /** The ids of all containers. */
  containers(): string[] {
    return succeeds(this.ctr("containers", "list", "--quiet"))
      .split("\n")
      .filter(Boolean);
  }

  /** Ends containerd by a signal, and starts it again. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.daemon.kill(signal);
    this.daemon = await startContainerd(this.place);
  }

  /**
   * Removes shims that containerd was about to know when it was killed, before it could have one call a runtime. Returns
   * how many.
   */
  removeUnknown(): number {
    const shims = () =>
      this.place.processes().flatMap(({ pid, command }) => {
        const id = / -namespace (\S+) -id (\S+) /.exec(command);
        return id?.[1] === this.place.tag && this.status(id[2]) === undefined ? [{ pid, id: id[2] }] : [];
      });
    const first = shims();
    // One that has nothing left to do ends by itself.
    if (first.length > 0) sleep(1000);
    const unknown = shims().filter(({ pid }) => first.some((shim) => shim.pid === pid));
    for (const { pid, id } of unknown) {
      process.kill(pid, "SIGKILL");
      const bundle = `/run/containerd/io.containerd.runtime.v2.task/${this.place.tag}/${id}`;
      this.place.run(["umount", `${bundle}/rootfs`]);
      this.place.run(["rm", "-r", bundle]);
    }
    return unknown.length;
  }

  tidy(): void {
    eventually(() => assert.deepEqual(this.removeAll(), []));
  }

  /** Tries to remove the containers. Returns those that are left. */
  private removeAll(): string[] {
    for (const id of this.containers()) {
      this.ctr("tasks", "delete", "--force", id);
      this.ctr("containers", "delete", id);
    }
    return this.containers();
  }
}

/** Starts containerd, and waits until it answers. */
export async function startContainerd(place: Place): Promise<Daemon> {
  writeFileSync(place.path("config.toml"), CONFIG);
  const log = place.path("containerd.log");
  const daemon = place.daemon(["containerd", "--config", place.path("config.toml")], log);
  await answers(() => place.run(["ctr", "version"]).status === 0, log);
  return daemon;
}
