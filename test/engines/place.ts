import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { cgroupHierarchies } from "../../src/cgroup/hierarchy.js";
import { CRIU_ENV } from "../system/criu.js";

/** What became of a command. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface Running {
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads. */
  readonly input?: string | Buffer;
  /** Milliseconds until it is killed. */
  readonly timeout?: number;
}

/** A command under way. */
export interface Started {
  readonly input: Writable;
  readonly ended: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

/** A process in a place, by its id outside of it. */
export interface PlaceProcess {
  readonly pid: number;
  readonly command: string;
}

/** Where the engines keep what is theirs, by default; each place has directories of its own there, in memory. */
const DATA = ["cni", "containerd", "containers", "docker", "kubelet"];

/**
 * Makes the namespaces' contents, says so, and waits until standard input ends, which it does when the test's process
 * has ended, however. As process 1 the shell reaps what is orphaned; all others die with it.
 *
 * Where cgroup v2 has hugetlb alone, that gets a hierarchy of v1: crun refuses a mixture that is in use, and containerd
 * gives no metrics where another mounts one meanwhile.
 */
const FIRST_PROCESS = `set -e
mount -t tmpfs tmpfs /run
mkdir /run/lock /run/etc /run/etc.work /run/lib /run/lib.work
for name in etc lib; do
  directory=/$name
  if test $name = lib; then directory=/var/lib; fi
  mount -t overlay -o lowerdir=$directory,upperdir=/run/$name,workdir=/run/$name.work overlay $directory
done
for name in ${DATA.join(" ")}; do
  mkdir -p /var/lib/$name
  mount -t tmpfs tmpfs /var/lib/$name
done
hugetlb=/run/cgroup/hugetlb
if grep -q '/sys/fs/cgroup/unified cgroup2' /proc/mounts && ! grep -q ' cgroup .*hugetlb' /proc/mounts; then
  mkdir /run/cgroup
  mount -t tmpfs tmpfs /run/cgroup
  mkdir $hugetlb
  for directory in /sys/fs/cgroup/*/; do
    name=/run/cgroup/$(basename $directory)
    mkdir -p $name
    if test $name != $hugetlb; then mount --bind $directory $name; fi
  done
  mount -t cgroup -o hugetlb cgroup $hugetlb
  umount --lazy --recursive /sys/fs/cgroup
  mount --move /run/cgroup /sys/fs/cgroup
  rmdir /run/cgroup
fi
ip link set lo up
echo ready
cat >/dev/null
exit`;

/**
 * A machine for an engine, made of namespaces on this one: processes, mounts and networks are its own, and so are /run,
 * /etc and what lies in /var/lib, so that an engine uses its usual paths and finds nobody else's files. Cgroups are the
 * machine's: who makes some puts the place's tag into their names.
 */
export class Place {
  /** For files; the same inside and outside. */
  readonly directory: string = mkdtempSync(join(tmpdir(), "fdrunc-engines-"));
  /** A name that nothing else has. */
  readonly tag: string = `fdrunc-engines-${process.pid}`;
  private first = 0;

  private constructor(private readonly holder: ChildProcess) {}

  static async open(): Promise<Place> {
    const namespaces = ["--pid", "--net", "--mount", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];
    const holder = spawn("unshare", [...namespaces, "sh", "-c", FIRST_PROCESS], { stdio: ["pipe", "pipe", "pipe"] });
    const place = new Place(holder);
    const said = await new Promise<string>((resolve) => {
      for (const stream of [holder.stdout, holder.stderr]) stream?.once("data", (data) => resolve(String(data)));
      holder.once("exit", (status) => resolve(`exit status ${status}`));
    });
    if (said !== "ready\n") throw new Error(`there is no place for an engine: ${said}`);
    place.first = childrenOf(holder.pid as number)[0];
    return place;
  }

  /** A path in the place's directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Where a path inside is found from outside, also below mounts of the place's own. */
  outside(path: string): string {
    return join(`/proc/${this.first}/root`, path);
  }

  /** Runs a command to its end, at most a minute unless told. */
  run(command: readonly string[], { env, input, timeout = 60_000 }: Running = {}): Outcome {
    const limit = ["timeout", "--foreground", "--signal=KILL", String(timeout / 1000)];
    const [program, ...args] = this.inside([...limit, ...command]);
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      ...{ encoding: "utf8", input: input ?? "", maxBuffer: 1 << 28 },
      env: environment(env),
    });
    if (error) throw new Error(`${command.join(" ")}: ${error.message}\n${stdout}${stderr}`);
    return { status, stdout, stderr };
  }

  /** Like `run`, without waiting for the end: `ended` tells of it, `kill` hastens it. Its input is a pipe. */
  start(command: readonly string[], { env, input }: Running = {}): Started {
    const [program, ...args] = this.inside(command);
    const child = spawn(program, args, { stdio: "pipe", env: environment(env) });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    const ended = new Promise<Outcome>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, stdout, stderr }));
    });
    if (input !== undefined) child.stdin.end(input);
    return { input: child.stdin, ended, kill: (signal) => signalInside(child, signal) };
  }

  /** Starts a program that runs until it is killed, and with the place at the latest. What it says goes to a file. */
  daemon(command: readonly string[], log: string, env: Readonly<Record<string, string>> = {}): Daemon {
    const output = openSync(log, "a");
    const [program, ...args] = this.inside(command);
    const child = spawn(program, args, {
      stdio: ["ignore", output, output],
      // containerd leaves directories behind where temporary ones go.
      env: environment({ ...CRIU_ENV, TMPDIR: this.directory, ...env }),
    });
    closeSync(output);
    return new Daemon(child);
  }

  /** The processes of the place and of all containers in it, but the first. */
  processes(): PlaceProcess[] {
    const namespace = namespaceOf(this.first);
    const all = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    const found = new Set(all.filter((pid) => namespaceOf(pid) === namespace));
    for (const pid of found) for (const child of childrenOf(pid)) found.add(child);
    // What the first process runs is its `cat`.
    for (const pid of [this.first, ...childrenOf(this.first)])
      if (commandOf(pid) === "cat" || pid === this.first) found.delete(pid);
    return [...found].map((pid) => ({ pid, command: commandOf(pid) })).filter(({ command }) => command !== "");
  }

  /**
   * All that an engine or a runtime may leave behind, a line each: processes, mounts, network interfaces, cgroups, and the
   * names in directories inside the place.
   */
  census(directories: readonly string[] = []): string[] {
    const links = this.run(["ip", "-o", "link"]).stdout.matchAll(/^\d+: ([^:@]+)/gm);
    return [
      ...this.processes().map(({ pid, command }) => `process ${pid}: ${command}`),
      ...readFileSync(`/proc/${this.first}/mountinfo`, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => `mount ${line.split(" ")[4]}`),
      ...[...links].map(([, name]) => `link ${name}`),
      ...this.cgroups().map((path) => `cgroup ${path}`),
      ...directories.flatMap((path) => namesIn(this.outside(path)).map((name) => `file ${join(path, name)}`)),
    ];
  }

  /** The cgroups that have the place's tag in their path, the innermost first. */
  private cgroups(): string[] {
    return cgroupHierarchies().flatMap(({ mountPoint }) =>
      directoriesIn(mountPoint).filter((path) => path.includes(this.tag)),
    );
  }

  /** Kills all processes, and removes what they have made. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.holder.once("close", resolve));
    this.holder.kill("SIGKILL");
    await ended;
    for (let tries = 0; this.cgroups().length > 0 && tries < 300; tries++) {
      for (const path of this.cgroups()) {
        try {
          rmdirSync(path);
        } catch {
          // The last process has not left it.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    this.removeHugetlb();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Removes the cgroups of hugetlb's hierarchy of v1, where only the place had that mounted. */
  private removeHugetlb(): void {
    if (!/^hugetlb\t[1-9]/m.test(readFileSync("/proc/cgroups", "utf8"))) return;
    const script = 'mount -t cgroup -o hugetlb cgroup "$1" && find "$1/$2" -depth -type d -exec rmdir {} +';
    spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", this.directory, this.tag]);
  }

  private inside(command: readonly string[]): string[] {
    return ["nsenter", `--target=${this.first}`, "--pid", "--net", "--mount", "--ipc", "--uts", "--", ...command];
  }
}

/** An engine's own process. */
export class Daemon {
  readonly ended: Promise<unknown>;
  constructor(private readonly child: ChildProcess) {
    this.ended = new Promise((resolve) => child.once("exit", resolve));
  }

  signal(signal: NodeJS.Signals): void {
    signalInside(this.child, signal);
  }

  /** Sends a signal to the process itself, and waits for its end. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.ended;
  }
}

/** Sends a signal to the command that nsenter(1) has made as its child. */
function signalInside(nsenter: ChildProcess, signal: NodeJS.Signals): void {
  for (const pid of childrenOf(nsenter.pid as number)) process.kill(pid, signal);
}

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
  return { PATH, HOME: "/root", ...more };
}

/** What `read` returns, or something else where the process has ended meanwhile. */
function unlessEnded<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

const namespaceOf = (pid: number): string => unlessEnded(() => readlinkSync(`/proc/${pid}/ns/pid`), "");

const commandOf = (pid: number): string =>
  unlessEnded(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim(), "");

const childrenOf = (pid: number): number[] =>
  unlessEnded(() => readdirSync(`/proc/${pid}/task`), []).flatMap((thread) =>
    unlessEnded(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8"), "")
      .split(" ")
      .filter(Boolean)
      .map(Number),
  );

const namesIn = (path: string): string[] => (existsSync(path) ? readdirSync(path).sort() : []);

/** The directories below a directory, the innermost first. */
function directoriesIn(path: string): string[] {
  return unlessEnded(() => readdirSync(path, { withFileTypes: true }), [])
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [...directoriesIn(join(path, name)), join(path, name)]);
}
