import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Config, Linux, Mount, Process, Root } from "../../src/generated/config.js";
import { cstring } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { sleep } from "../../src/linux/sleep.js";
import { attempt, sys } from "../../src/linux/syscall.js";
import { ROOT } from "../folders.js";
import { callersConfig, HAS_IDS, IS_ROOT, MAY_MAP } from "./caller.js";
import { cgroups, cgroupsPath, entries, FLAGS, HAS_CGROUPS, PARENTS, unifiedMount } from "./cgroup-places.js";

export { cgroupOf, cgroupsPath, defaultParent, entries, FLAGS, SYSTEMD, TAG } from "./cgroup-places.js";

const STATIC = join(ROOT, "dist/fdrunc");

/** The command line that runs fdrunc: environment FDRUNC is the path of an executable or of a script for Node. */
export const FDRUNC: readonly string[] = commandLine(
  process.env.FDRUNC ?? (existsSync(STATIC) ? STATIC : join(ROOT, "dist/node/bin/fdrunc.js")),
);

/** With `npm run test:mutation`: all that fdrunc is told, but for one feature, to see whether the test notices. */
const { FDRUNC_WITHOUT } = process.env;
const without = FDRUNC_WITHOUT ? (await import("../coverage/without.js")).without(FDRUNC_WITHOUT) : undefined;

/** Which form of fdrunc that is. Node's is slower to start, so tests that repeat themselves do it less often. */
export const FORM: string = process.env.FDRUNC_FORM ?? (FDRUNC.length > 1 ? "node" : "quickjs");

function commandLine(path: string): string[] {
  return path.endsWith(".js") ? [process.execPath, path] : [path];
}

const BUSYBOX = "/bin/busybox";
const isStatic = (path: string) => !readFileSync(path).includes("/ld-linux");

const APPLETS =
  "[ awk cat chmod chown cp cut dd dnsdomainname echo env false find grep head hostname id ifconfig kill ln ls mkdir " +
  "mknod mount nc od printf ps pwd readlink rm sed sh sleep sort stat stty sync tail test touch tr true tty umount " +
  "uname wc xargs";

/** A config whose optional parts are there. */
export interface FullConfig extends Config {
  root: Root;
  process: Process & Required<Pick<Process, "args" | "env" | "user" | "capabilities">>;
  mounts: Mount[];
  linux: Linux & Required<Pick<Linux, "namespaces" | "resources" | "maskedPaths" | "readonlyPaths">>;
  annotations: Record<string, string>;
}

/** What became of a command. What a container left by it writes comes in as well. */
export class Result {
  constructor(
    readonly status: number | null,
    private readonly files: { out: string; err: string },
  ) {}

  get stdout(): string {
    const text = readFileSync(this.files.out, "utf8");
    return without?.output(text) ?? text;
  }

  get stderr(): string {
    return readFileSync(this.files.err, "utf8");
  }

  /** Asserts that all went well and nothing was complained of. Returns what was put out. */
  succeeds(): string {
    assert.deepEqual({ status: this.status, stderr: this.stderr }, { status: 0, stderr: "" });
    return this.stdout;
  }

  /** Asserts that it failed with one line. Returns the line, without the program's name. */
  fails(status = 1): string {
    assert.match(this.stderr, /^fdrunc: [^\n]+\n$/);
    assert.equal(this.status, status);
    return this.stderr.slice("fdrunc: ".length, -1);
  }
}

/** How a command is called, beside its arguments. */
export interface Calling {
  /** Descriptors from standard input on: standard output and error are files unless given here. */
  stdio?: (number | "ignore" | "pipe")[];
  env?: Record<string, string>;
  cwd?: string;
  /** Arguments in front of fdrunc's own command line: `strace`, `setpriv`. */
  under?: string[];
}

let busybox: string | undefined;

/** Processes that Node waits for by itself. */
const started = new Set<ChildProcess>();

/** A place for one test: a bundle, a directory for the containers' state, cgroups; checked and removed at its end. */
export class Scene {
  /** All else lies in it; everybody may enter. */
  readonly directory: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** What --root is told. */
  readonly state: string;
  /** What `write` wrote last. */
  config: FullConfig;
  private readonly mountsBefore: string[];
  private readonly ends: Promise<unknown>[] = [];
  private readonly mounted: string[] = [];
  private calls = 0;

  constructor() {
    prepareOnce();
    this.mountsBefore = mountInfo();
    this.directory = mkdtempSync(join(tmpdir(), "fdrunc-"));
    chmodSync(this.directory, 0o755);
    this.bundle = join(this.directory, "bundle");
    this.rootfs = join(this.bundle, "rootfs");
    this.state = join(this.directory, "state");
    mkdirSync(this.bundle);
    this.makeRootfs(this.rootfs);
    this.config = this.write();
  }

  /** Fills a directory with busybox and names of its programs. */
  makeRootfs(path: string): void {
    mkdirSync(join(path, "bin"), { recursive: true });
    linkSync(busybox as string, join(path, "bin/busybox"));
    for (const name of APPLETS.split(" ")) symlinkSync("busybox", join(path, "bin", name));
  }

  /** Writes the bundle's config.json: the default one without a terminal, and changed. */
  write(change: (config: FullConfig) => void = () => {}): FullConfig {
    const config = callersConfig() as FullConfig;
    config.process.terminal = false;
    config.process.args = ["true"];
    config.annotations = {};
    if (HAS_CGROUPS) config.linux.cgroupsPath = cgroupsPath();
    change(config);
    this.writeText(toJson(without?.config(config) ?? config));
    this.config = config;
    return config;
  }

  writeText(text: string): void {
    writeFileSync(join(this.bundle, "config.json"), text);
  }

  /** A path in the scene's directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Mounts a tmpfs on a directory of the scene's, by mount(8). Returns its path. */
  mountTmpfs(name: string, ...flags: string[]): string {
    const path = this.path(name);
    mkdirSync(path, { recursive: true });
    assert.equal(spawnSync("mount", ["-t", "tmpfs", ...flags, "tmpfs", path]).status, 0);
    this.mounted.push(path);
    return path;
  }

  /** Puts other content in the place of a file of the system's, for this test alone. */
  replaceFile(path: string, content: string): void {
    const file = this.path(path.replaceAll("/", "-"));
    writeFileSync(file, content);
    assert.equal(spawnSync("mount", ["--bind", file, path]).status, 0);
    this.mounted.push(path);
  }

  /** Runs fdrunc with the scene's state directory. */
  fdrunc(args: readonly string[], calling: Calling = {}): Result {
    const { files, command, options } = this.prepare(args, calling);
    const { status, error } = spawnSync(command[0], command.slice(1), {
      ...options,
      timeout: 180_000,
      killSignal: "SIGKILL",
    });
    for (const fd of files.fds) closeSync(fd);
    if (error) throw error;
    return new Result(status, files);
  }

  /** Like `fdrunc`, without waiting for the end; `ended` tells of it. */
  start(args: readonly string[], calling: Calling = {}): { child: ChildProcess; ended: Promise<Result> } {
    const { files, command, options } = this.prepare(args, calling);
    const { child, ended } = this.spawn(command, options as SpawnOptions);
    for (const fd of files.fds) closeSync(fd);
    return { child, ended: ended.then((status) => new Result(status, files)) };
  }

  /** Starts a command that is ended with the scene at the latest. */
  spawn(command: readonly string[], options: SpawnOptions = { stdio: "ignore" }) {
    const child = spawn(command[0], command.slice(1), options);
    started.add(child);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (status) => {
        started.delete(child);
        resolve(status);
      });
    });
    this.ends.push(ended);
    return { child, ended };
  }

  private prepare(args: readonly string[], { stdio = [], env, cwd, under = [] }: Calling) {
    const number = this.calls++;
    const [out, err] = [this.path(`${number}.out`), this.path(`${number}.err`)];
    const fds = [openSync(out, "a"), openSync(err, "a")];
    const streams = [stdio[0] ?? "ignore", stdio[1] ?? fds[0], stdio[2] ?? fds[1], ...stdio.slice(3)];
    const command = [...under, ...FDRUNC, ...FLAGS, "--root", this.state, ...(without?.args(args) ?? args)];
    return {
      files: { out, err, fds },
      command,
      options: { stdio: streams, cwd: cwd ?? this.bundle, ...(env && { env: { ...process.env, ...env } }) },
    };
  }

  /** Creates a container of the bundle. */
  create(id = "c", ...flags: string[]): Result {
    return this.fdrunc(["create", ...flags, id]);
  }

  /** Runs a container of the bundle in the foreground. */
  run(id = "c", ...flags: string[]): Result {
    return this.fdrunc(["run", ...flags, id]);
  }

  /** What a shell script puts out in a container whose config is changed; it must succeed. */
  sh(script: string, change: (config: FullConfig) => void = () => {}): string {
    this.write((config) => {
      config.process.args = ["sh", "-c", script];
      change(config);
    });
    return this.run().succeeds();
  }

  /** What `state` prints. */
  stateOf(id = "c"): Record<string, unknown> {
    return JSON.parse(this.fdrunc(["state", id]).succeeds());
  }

  status(id = "c"): unknown {
    return this.stateOf(id).status;
  }

  /** Waits for a container's status. */
  waitFor(status: string, id = "c"): void {
    eventually(() => assert.equal(this.status(id), status));
  }

  /** What there is that was not there when the scene began: processes, mounts, cgroups, containers. */
  leftovers(): string[] {
    const before = new Set(this.mountsBefore);
    return [
      ...this.processes().map((pid) => `process ${pid}: ${nameOf(pid)}`),
      ...mountInfo()
        .filter((line) => !before.has(line) && !this.mounted.includes(line.split(" ")[4]))
        .map((line) => `mount ${line}`),
      ...cgroups().map((directory) => `cgroup ${directory}`),
      ...this.containers().map((name) => `state ${name}`),
    ];
  }

  /** The ids in the state directory; what stays there beside them are compiled filters. */
  private containers(): string[] {
    return entries(this.state).filter((name) => name !== "seccomp@");
  }

  /** Processes that became this one's children; those that ended are reaped. */
  private processes(): number[] {
    const own = new Set([...started].map(({ pid }) => pid));
    return children().filter((pid) => !own.has(pid) && !reap(pid));
  }

  /** Asserts that nothing is left; what ends by itself is given some seconds. */
  assertNothingLeft(seconds?: number): void {
    eventually(() => assert.deepEqual(this.leftovers(), []), seconds);
  }

  /** Deletes a container. Its process id namespace ends only when all are reaped that were added to it. */
  private async delete(id: string): Promise<void> {
    const reaping = setInterval(() => this.processes(), 20);
    try {
      (await this.start(["delete", "--force", id]).ended).succeeds();
    } finally {
      clearInterval(reaping);
    }
  }

  /** Ends what the test has left behind, asserts that nothing is left then, and removes the scene. */
  async finish(): Promise<void> {
    for (const child of started) child.kill("SIGKILL");
    await Promise.allSettled(this.ends);
    try {
      for (const id of this.containers()) await this.delete(id);
      for (const path of this.mounted.reverse()) attempt("umount2", cstring(path), 0);
      this.assertNothingLeft();
    } finally {
      for (const pid of this.processes()) process.kill(pid, "SIGKILL");
      for (const line of mountInfo().reverse()) {
        const mountPoint = line.split(" ")[4];
        if (!this.mountsBefore.includes(line)) attempt("umount2", cstring(mountPoint), C.MNT_DETACH);
      }
      eventually(() => assert.deepEqual(this.processes(), []));
      for (const directory of cgroups()) attempt("unlinkat", C.AT_FDCWD, cstring(directory), C.AT_REMOVEDIR);
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

/** JSON with 64-bit integers. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `bigint ${part}` : part)).replace(
    /"bigint (\d+)"/g,
    "$1",
  );

/** What tests may need beside an ordinary user's rights, and why they are skipped where there is none of it. */
const NEEDS = {
  root: IS_ROOT || "needs root",
  cgroups: HAS_CGROUPS || "needs cgroups that are left to the user",
  ids: HAS_IDS || "needs subordinate ids of the user's",
};

/** Why tests that need something cannot run here, or false where they can. */
function missing(...needs: (keyof typeof NEEDS)[]): string | false {
  const lacks = needs.map((need) => NEEDS[need]).find((has) => has !== true);
  if (!existsSync(BUSYBOX) || !isStatic(BUSYBOX)) return "needs Debian's busybox-static";
  return MAY_MAP ? (lacks ?? false) : "needs user namespaces for ordinary users";
}

/** Why tests that need root cannot run here, or false where they can. */
export const MISSING: string | false = missing("root");

const needing =
  (...needs: (keyof typeof NEEDS)[]) =>
  (name: string, run: (scene: Scene, t: TestContext) => void | Promise<void>): void => {
    test(name, { skip: missing(...needs) }, async (t) => {
      const scene = new Scene();
      t.after(() => scene.finish());
      await run(scene, t);
    });
  };

/** A test in a scene of its own, for root and ordinary users. */
export const system = needing();
/** A test that needs root: for what only root may do, or where a test does more than the container needs. */
export const asRoot = needing("root");
/** A test that needs cgroups. */
export const withCgroups = needing("cgroups");
/** A test that needs more ids than one. */
export const withIds = needing("ids");

/** Tries again for a few seconds while an assertion fails. */
export function eventually(check: () => void, seconds = without === undefined ? 30 : 3): void {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    sleep(10);
  }
}

/** What this process has to be: an adopter of orphans, in a mount namespace that nothing else changes. */
function prepareOnce(): void {
  if (busybox !== undefined) return;
  sys("prctl", C.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (IS_ROOT) {
    sys("unshare", C.CLONE_NEWNS);
    sys("mount", null, cstring("/"), null, C.MS_REC | C.MS_PRIVATE, null);
  }
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-busybox-"));
  busybox = join(directory, "busybox");
  copyFileSync(BUSYBOX, busybox);
  for (const parent of PARENTS) mkdirSync(parent);
  process.on("exit", () => {
    rmSync(directory, { recursive: true });
    for (const parent of PARENTS) rmdirSync(parent);
  });
}

/**
 * Removes what runc leaves in v2 on a host with cgroups of both versions: it makes one there, too, and gives up on it
 * where the last process takes long to end.
 */
export function removeCgroupsOfRunc(): void {
  const left = cgroups().filter((directory) => directory.startsWith(`${unifiedMount() ?? ""}/`));
  for (const directory of left)
    eventually(() => {
      const result = attempt("unlinkat", C.AT_FDCWD, cstring(directory), C.AT_REMOVEDIR);
      assert.ok(result === 0 || !existsSync(directory), `${directory} does not get empty`);
    });
}

/** The mounts of this process, a line each, without the options of their file systems: others may change those. */
export const mountInfo = (): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/( - \S+ \S+) .*/, "$1"));

function children(): number[] {
  return readdirSync("/proc/self/task").flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

/** Takes the status of a child that has ended. Returns false where it has not. */
const reap = (pid: number): boolean => attempt("wait4", pid, null, C.WNOHANG | C.__WALL, null) !== 0;

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "ended";
  }
}
