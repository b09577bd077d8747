import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import {
  asRoot,
  cgroupOf,
  cgroupsPath,
  FDRUNC,
  FLAGS,
  type FullConfig,
  removeCgroupsOfRunc,
  type Scene,
  SYSTEMD,
} from "./harness.js";

/** What became of a command. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The last name of the linux.cgroupsPath of runc's container, beside "c" of ours. */
const THEIRS = "runc";
const THEIR_FLAGS = SYSTEMD ? ["--systemd-cgroup"] : [];

/** fdrunc and runc, each with a container "c" of the same config, which are told the same. */
export class Pair {
  constructor(private readonly scene: Scene) {}

  /** Creates and starts both containers. */
  run(change: (config: FullConfig) => void): void {
    const { scene } = this;
    const config = scene.write((written) => {
      written.process.args = ["sleep", "1000"];
      change(written);
    });
    const other = { ...config, root: { ...config.root, path: scene.rootfs } };
    mkdirSync(scene.path("theirs"), { recursive: true });
    const linux = { ...config.linux, cgroupsPath: cgroupsPath(THEIRS) };
    writeFileSync(scene.path("theirs", "config.json"), JSON.stringify({ ...other, linux }));
    for (const outcome of this.both(["run", "--detach", "c"])) {
      // runc warns of rules for devices that systemd cannot be told of.
      const errors = outcome.stderr.replace(/^time=.* level=warning msg="skipping device .*\n/gm, "");
      assert.deepEqual([outcome.status, errors], [0, ""]);
    }
  }

  /** What both make of the same arguments, with the same standard input: ours, theirs. */
  both(args: readonly string[], input = ""): [ours: Outcome, theirs: Outcome] {
    const { scene } = this;
    return [
      this.call([...FDRUNC, ...FLAGS, "--root", scene.state, ...args], scene.bundle, input),
      this.call(["runc", ...THEIR_FLAGS, "--root", scene.path("runc-state"), ...args], scene.path("theirs"), input),
    ];
  }

  /** Asserts that the arguments come to the same exit status with both, and that their words are in both's errors. */
  same(args: readonly string[], words = "", input = ""): void {
    const outcomes = this.both(args, input);
    const [ours, theirs] = outcomes;
    assert.equal(ours.status, theirs.status, `${args.join(" ")}: ${ours.stderr}${theirs.stderr}`);
    for (const { stderr } of outcomes) assert.ok(stderr.includes(words), `${args.join(" ")}: ${stderr}`);
    if (words === "") assert.deepEqual([ours.stderr, theirs.stderr], ["", ""]);
  }

  /** The contents of both's files in the cgroups of a controller. */
  files(controller: string, file: string): [ours: string, theirs: string] {
    const read = (name?: string) => readFileSync(`${cgroupOf(controller, name)}/${file}`, "utf8");
    return [read(), read(THEIRS)];
  }

  private call(command: string[], cwd: string, input: string): Outcome {
    // Files and not pipes: what is left in the background keeps them open.
    const paths = ["in", "out", "err"].map((name) => this.scene.path(`pair.${name}`));
    writeFileSync(paths[0], input);
    const stdio = paths.map((path, i) => openSync(path, i === 0 ? "r" : "w"));
    try {
      const { status } = spawnSync(command[0], command.slice(1), { cwd, stdio, timeout: 60_000 });
      return { status, stdout: readFileSync(paths[1], "utf8"), stderr: readFileSync(paths[2], "utf8") };
    } finally {
      for (const fd of stdio) closeSync(fd);
    }
  }
}

const without = spawnSync("runc", ["--version"]).status !== 0;

/** A test that compares fdrunc's commands with runc's. */
export function besideRunc(name: string, run: (pair: Pair, s: Scene, t: TestContext) => void): void {
  asRoot(`beside runc: ${name}`, (s, t) => {
    if (without) return t.skip("needs runc");
    try {
      run(new Pair(s), s, t);
    } finally {
      spawnSync("runc", ["--root", s.path("runc-state"), "delete", "--force", "c"]);
      s.fdrunc(["delete", "--force", "c"]);
      removeCgroupsOfRunc();
    }
  });
}
