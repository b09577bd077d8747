import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCgroup } from "../../src/cgroup/make-cgroup.js";
import { planCgroup } from "../../src/cgroup/plan-cgroup.js";
import type { Resources } from "../../src/generated/config.js";
import { hostHierarchies, ownParent, read } from "./playground.js";

const DENY_ALL = { allow: false, access: "rwm" };

/** Resources that runc takes on a host of cgroup v1. */
const CASES: Record<string, Resources> = {
  "none at all": {},
  "what runc spec writes": { devices: [DENY_ALL] },
  "what docker writes": {
    devices: [
      DENY_ALL,
      { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
      { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
      { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
    ],
    memory: { disableOOMKiller: false },
    cpu: { shares: 0 },
    blockIO: { weight: 0 },
  },
  "what docker writes for a privileged container": { devices: [{ allow: true, access: "rwm" }] },
  "what podman writes": {
    devices: [DENY_ALL],
    memory: { limit: 67108864, swap: 134217728 },
    pids: { limit: 2048 },
  },
  "what Kubernetes writes": {
    devices: [DENY_ALL],
    memory: { limit: 67108864, swap: 67108864 },
    cpu: { shares: 512, quota: 50000, period: 100000, cpus: "0", mems: "0" },
  },
  "what else can be set": {
    devices: [DENY_ALL, { allow: true, type: "b", major: 8, access: "r" }, { allow: true, type: "c", access: "w" }],
    memory: { limit: 67108864, reservation: 33554432, swappiness: 3, disableOOMKiller: true },
    cpu: { shares: 2, period: 50000 },
    pids: { limit: -1 },
    blockIO: { weight: 300 },
  },
  "no limit on memory": { memory: { limit: -1 }, cpu: { quota: -1 } },
};

for (const [name, resources] of Object.entries(CASES)) {
  test(`cgroup files are as runc leaves them: ${name}`, (t) => {
    const hierarchies = hostHierarchies(t, { v1: ["cpu", "cpuset", "memory", "devices", "pids", "blkio"] });
    if (!hierarchies) return;
    const bundle = runcBundle(t);
    if (bundle === undefined) return;
    const parent = ownParent(t, hierarchies);
    const plan = planCgroup(hierarchies, { id: "c", cgroupsPath: `${parent}/c`, resources });
    makeCgroup(plan);
    const runc = (...args: string[]) =>
      execFileSync("runc", ["--root", join(bundle, "state"), ...args], { stdio: "inherit" });
    writeConfig(bundle, { cgroupsPath: `${parent}/d`, resources });
    try {
      runc("create", "--bundle", bundle, "d");
      for (const directory of plan.cgroup.directories) {
        assert.deepEqual(settingsIn(directory), settingsIn(directory.replace(/c$/, "d")), directory);
      }
    } finally {
      runc("delete", "--force", "d");
    }
  });
}

/** What a cgroup's files say that can be set, by their names; counters that can be reset aside. */
function settingsIn(directory: string): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const file of readdirSync(directory)) {
    const mode = statSync(`${directory}/${file}`).mode;
    if (/^(tasks|cgroup\.procs)$|failcnt|usage|\.peak$/.test(file) || (mode & 0o600) !== 0o600) continue;
    settings[file] = read(`${directory}/${file}`);
  }
  if (existsSync(`${directory}/devices.list`)) {
    // runc 1.1 allows the TUN device to every container, which later versions do not.
    const devices = read(`${directory}/devices.list`).split("\n");
    settings["devices.list"] = devices
      .filter((device) => device !== "c 10:200 rwm")
      .sort()
      .join("; ");
  }
  return settings;
}

/** A bundle without config.json, or undefined after the test was skipped. */
function runcBundle(t: TestContext): string | undefined {
  if (spawnSync("runc", ["--version"]).status !== 0) {
    t.skip("needs runc");
    return undefined;
  }
  if (!existsSync("/bin/busybox")) {
    t.skip("needs a static busybox");
    return undefined;
  }
  const bundle = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(bundle, { recursive: true }));
  for (const directory of ["rootfs/bin", "rootfs/proc", "state"])
    mkdirSync(join(bundle, directory), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/true"));
  return bundle;
}

function writeConfig(bundle: string, linux: { cgroupsPath: string; resources: Resources }): void {
  const config = {
    ociVersion: "1.0.2",
    process: { cwd: "/", args: ["/bin/true"], user: { uid: 0, gid: 0 } },
    root: { path: join(bundle, "rootfs") },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }], ...linux },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
}
