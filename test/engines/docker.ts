import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { eventually } from "../system/harness.js";
import { startContainerd } from "./containerd.js";
import { imageArchive } from "./image.js";
import { killed } from "./load.js";
import type { Daemon, Outcome, Place, Running } from "./place.js";
import { RUNTIMES, type Runtime } from "./runtime.js";
import { answers, succeeds } from "./suite.js";

/** The image that containers are made of. */
export const IMAGE = "box:1";

/** Debian's client: another may come first in $PATH. */
const CLIENT = "/usr/bin/docker";

const CONFIG = "/etc/docker/daemon.json";

/** What its configuration knows a runtime by, less a prefix. */
type Named = Pick<Runtime, "name">;

/** dockerd, beside a containerd as Debian starts it, driven by docker(1). */
export class Docker {
  private constructor(
    readonly place: Place,
    private daemon: Daemon,
    readonly title: string,
  ) {}

  static async open(place: Place): Promise<Docker> {
    mkdirSync(dirname(place.outside(CONFIG)), { recursive: true });
    const config = {
      "cgroup-parent": `/${place.tag}`,
      "live-restore": true,
      experimental: true, // has checkpoints
      runtimes: Object.fromEntries(
        [
          ...RUNTIMES,
          ...RUNTIMES.map((runtime) => ({ name: `hooks-${runtime.name}`, path: withHooks(place, runtime) })),
          killed(place),
        ].map(({ name, path }) => [`with-${name}`, { path }]),
      ),
    };
    writeFileSync(place.outside(CONFIG), JSON.stringify(config));
    mkdirSync(place.path("bin"));
    await startContainerd(place);
    const daemon = await start(place);
    const version = succeeds(place.run([CLIENT, "version", "--format={{.Server.Version}}"])).trim();
    const engine = new Docker(place, daemon, `docker ${version.replace(/\+.*/, "")}`);
    engine.loadImage();
    return engine;
  }

  private loadImage(): void {
    succeeds(this.docker(["load"], { input: imageArchive(IMAGE) }));
  }

  readonly docker = (args: readonly string[], running: Running = {}): Outcome =>
    this.place.run(this.command(...args), running);

  /** The command line of docker(1). */
  readonly command = (...args: string[]): string[] => [CLIENT, ...args];

  /** What docker(1) puts out, which must succeed. */
  readonly say = (...args: string[]): string => succeeds(this.docker(args)).trim();

  private readonly lines = (...args: string[]): string[] =>
    this.say(...args)
      .split("\n")
      .filter(Boolean);

  /** Runs a container to its end. Returns what it puts out. */
  readonly run = (runtime: Named, flags: readonly string[], ...program: string[]): string =>
    this.say("run", "--rm", ...this.use(runtime), ...flags, IMAGE, ...program);

  /** Starts a container that does nothing. */
  readonly detach = (runtime: Runtime, name: string, ...flags: string[]): string =>
    this.say("run", "--detach", `--name=${name}`, ...this.use(runtime), ...flags, IMAGE, "sleep", "1000");

  /** The options of `docker run` that choose a runtime. */
  readonly use = (runtime: Named): string[] => [`--runtime=with-${runtime.name}`];

  /** What `docker inspect` tells of a container, by a template. */
  readonly inspect = (name: string, template: string): string => this.say("inspect", `--format=${template}`, name);

  /** Has builds use a runtime: BuildKit runs what is called runc, the classic builder uses the default. */
  buildWith({ name, path }: Runtime): void {
    const link = this.place.path("bin/runc");
    rmSync(link, { force: true });
    symlinkSync(path, link);
    this.configure({ "default-runtime": `with-${name}` });
  }

  /** Has dockerd read its configuration again, with more settings. */
  private configure(more: Record<string, unknown>): void {
    const file = this.place.outside(CONFIG);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...more }));
    this.daemon.signal("SIGHUP");
    const wanted = more["default-runtime"];
    eventually(() => assert.equal(this.say("info", "--format={{.DefaultRuntime}}"), wanted));
  }

  /** Ends dockerd by a signal, and starts it again, with options. */
  async restart(signal: NodeJS.Signals, ...options: string[]): Promise<void> {
    await this.daemon.kill(signal);
    this.daemon = await start(this.place, options);
  }

  /** Does something with a dockerd that has other options, which knows nothing of other containers. */
  async withOptions(options: readonly string[], act: () => void): Promise<void> {
    await this.restart("SIGTERM", ...options);
    try {
      this.loadImage();
      act();
    } finally {
      this.tidy();
      await this.restart("SIGTERM");
    }
  }

  /**
   * Removes what dockerd does not know although it made it: tasks of containerd's, where it was killed meanwhile, and
   * network namespaces, where a shim was. Returns how many.
   */
  removeUnknown(): number {
    const ctr = ["ctr", "--namespace", "moby"];
    const known = this.lines("ps", "--all", "--quiet", "--no-trunc");
    const tasks = succeeds(this.place.run([...ctr, "tasks", "list", "--quiet"]))
      .split("\n")
      .filter(Boolean);
    const unknown = tasks.filter((id) => !known.includes(id));
    for (const id of unknown) {
      this.place.run([...ctr, "tasks", "delete", "--force", id]);
      this.place.run([...ctr, "containers", "delete", id]);
    }
    const keys = known.map((id) => this.docker(["inspect", "--format={{.NetworkSettings.SandboxKey}}", id]).stdout);
    const inUse = keys.map((key) => basename(key.trim()));
    const mounted = this.place.census().filter((line) => line.startsWith("mount /run/docker/netns/"));
    const lost = mounted.map((line) => line.slice("mount ".length)).filter((path) => !inUse.includes(basename(path)));
    for (const path of lost) this.place.run(["umount", path]);
    return unknown.length + lost.length;
  }

  tidy(): void {
    eventually(() => {
      const ids = this.lines("ps", "--all", "--quiet");
      if (ids.length > 0) this.docker(["rm", "--force", "--volumes", ...ids]);
      assert.equal(this.say("ps", "--all", "--quiet"), "");
    });
    this.docker(["network", "prune", "--force"]);
    this.docker(["volume", "prune", "--force"]);
  }
}

/** A script that adds a hook, a file beside it, to a bundle's config.json and runs the runtime; its path. */
function withHooks(place: Place, { name, path }: Runtime): string {
  const script = place.path(`add-hooks-${name}`);
  const edit = `s|"prestart":\\[|"prestart":[{"path":"${script}.hook"},|`;
  const lines = [
    "#!/bin/sh",
    'case "$*" in',
    `*" create "*) sed -i '${edit}' config.json ;;`,
    "esac",
    `exec ${path} "$@"`,
  ];
  writeFileSync(script, `${lines.join("\n")}\n`, { mode: 0o755 });
  return script;
}

/** Starts dockerd, and waits until it answers. */
async function start(place: Place, options: readonly string[] = []): Promise<Daemon> {
  const log = place.path("dockerd.log");
  const daemon = place.daemon(["dockerd", "--containerd=/run/containerd/containerd.sock", ...options], log, {
    PATH: `${place.path("bin")}:${process.env.PATH}`,
  });
  await answers(() => place.run([CLIENT, "version"]).status === 0, log);
  return daemon;
}
