import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Cgroup } from "../../src/cgroup/cgroup.js";
import { delegate } from "../../src/cgroup/delegate.js";
import { enableControllers } from "../../src/cgroup/enable-controllers.js";
import type { Hierarchy } from "../../src/cgroup/hierarchy.js";
import { makeCgroup } from "../../src/cgroup/make-cgroup.js";
import { planCgroup } from "../../src/cgroup/plan-cgroup.js";
import type { Resources } from "../../src/generated/config.js";

/** The files that a cgroup has here, each empty, beside those that a test gives content. */
const FILES = ["cgroup.freeze", "cgroup.procs", "cgroup.subtree_control", "cpu.max", "cpu.weight", "memory.max"];

/** A directory that looks like a v2 hierarchy, with plain files in cgroups "slice" and "slice/c". */
function fakeHierarchy(t: TestContext, files: Record<string, string> = {}): Hierarchy {
  const mountPoint = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(mountPoint, { recursive: true }));
  const controllers = { "cgroup.controllers": "cpuset cpu io memory pids\n" };
  for (const directory of ["", "slice", "slice/c"]) {
    mkdirSync(join(mountPoint, directory), { recursive: true });
    for (const file of FILES) writeFileSync(join(mountPoint, directory, file), "");
    for (const [file, text] of Object.entries(controllers)) writeFileSync(join(mountPoint, directory, file), text);
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(mountPoint, file), text);
  return { version: 2, controllers: [], mountPoint, root: "/", ownPath: "/slice/own" };
}

/** Makes the cgroup without a device program, which needs a real directory. */
function make(hierarchy: Hierarchy, resources: Resources): Cgroup {
  const plan = planCgroup([hierarchy], { id: "c", cgroupsPath: "/slice/c", resources, rootless: true });
  makeCgroup(plan);
  return plan.cgroup;
}

test("v2 alone: limits go to v2's files, after the ancestors hand their controllers down", (t) => {
  const hierarchy = fakeHierarchy(t);
  const cgroup = make(hierarchy, { cpu: { shares: 512, quota: 50000, period: 100000 }, memory: { limit: 1048576 } });
  const content = (file: string) => readFileSync(join(hierarchy.mountPoint, file), "utf8");
  assert.deepEqual(cgroup.paths, { "": `${hierarchy.mountPoint}/slice/c` });
  assert.equal(content("cgroup.subtree_control"), "+cpuset +cpu +io +memory +pids");
  assert.equal(content("slice/cgroup.subtree_control"), "+cpuset +cpu +io +memory +pids");
  assert.equal(content("slice/c/cgroup.subtree_control"), "");
  assert.equal(content("slice/c/cpu.weight"), "59");
  assert.equal(content("slice/c/cpu.max"), "50000 100000");
  assert.equal(content("slice/c/memory.max"), "1048576");
});

test("ancestors that hand everything down already are not told again", (t) => {
  const hierarchy = fakeHierarchy(t, { "slice/cgroup.subtree_control": "cpuset cpu io memory pids\n" });
  make(hierarchy, {});
  assert.equal(readFileSync(join(hierarchy.mountPoint, "cgroup.subtree_control"), "utf8"), "");
});

test("a controller that does not come through is an error only if a limit needs it", (t) => {
  const { mountPoint } = fakeHierarchy(t);
  rmSync(join(mountPoint, "cgroup.subtree_control"));
  enableControllers(mountPoint, `${mountPoint}/slice/c`, ["cpu", "memory"], []);
  assert.throws(() => enableControllers(mountPoint, `${mountPoint}/slice/c`, ["cpu", "memory"], ["memory"]), {
    name: "Failure",
    message: `write "+memory" to "${mountPoint}/cgroup.subtree_control": no such file or directory (ENOENT)`,
  });
});

test("a file that the kernel lacks is named, unless its absence is what is asked", (t) => {
  const hierarchy = fakeHierarchy(t);
  const path = `${hierarchy.mountPoint}/slice/c`;
  make(hierarchy, { memory: { limit: 1048576, swap: 1048576 }, cpu: { burst: 0, idle: 0 }, pids: { limit: -1 } });
  assert.throws(() => make(hierarchy, { memory: { limit: 1048576, swap: 2097152 } }), {
    message:
      `linux.resources.memory.swap: write "1048576" to "${path}/memory.swap.max": ` +
      "no such file or directory (ENOENT) (the kernel does not count swap)",
  });
  assert.throws(() => make(hierarchy, { blockIO: { weight: 100 } }), {
    message:
      `linux.resources.blockIO.weight: write "910" to "${path}/io.weight": ` +
      "no such file or directory (ENOENT) (the kernel has no scheduler with weights)",
  });
});

test("where BFQ has no file for weights, the general one is used", (t) => {
  const hierarchy = fakeHierarchy(t, { "slice/c/io.weight": "" });
  make(hierarchy, { blockIO: { weight: 1000 } });
  assert.equal(readFileSync(`${hierarchy.mountPoint}/slice/c/io.weight`, "utf8"), "10000");
});

test("checkBeforeUpdate refuses a limit below what is in use", (t) => {
  const hierarchy = fakeHierarchy(t, { "slice/c/memory.current": "2097152\n" });
  const cgroup = new Cgroup({ "": `${hierarchy.mountPoint}/slice/c` });
  assert.throws(() => cgroup.set({ memory: { limit: 1048576, checkBeforeUpdate: true } }), {
    message: "linux.resources.memory.limit: the cgroup's processes use 2097152 bytes",
  });
  cgroup.set({ memory: { limit: 4194304, checkBeforeUpdate: true } });
  cgroup.set({ memory: { limit: -1, checkBeforeUpdate: true } });
});

test("a period alone keeps the quota, a limit on swap the memory's", (t) => {
  const hierarchy = fakeHierarchy(t, {
    "slice/c/cpu.max": "2000 1000\n",
    "slice/c/memory.max": "1048576\n",
    "slice/c/memory.swap.max": "max\n",
  });
  const directory = `${hierarchy.mountPoint}/slice/c`;
  const cgroup = new Cgroup({ "": directory });
  const content = (file: string) => readFileSync(`${directory}/${file}`, "utf8").trim();
  cgroup.set({ cpu: { period: 50000 } });
  assert.equal(content("cpu.max"), "2000 50000");
  writeFileSync(`${directory}/cpu.max`, "max 5000\n");
  cgroup.set({ cpu: { period: 60000 } });
  assert.equal(content("cpu.max"), "max 60000");
  cgroup.set({ memory: { swap: 3145728 } });
  assert.equal(content("memory.swap.max"), "2097152");
  assert.equal(content("memory.max"), "1048576");
  writeFileSync(`${directory}/memory.max`, "max\n");
  assert.throws(() => cgroup.set({ memory: { swap: 3145728 } }), {
    message: "linux.resources.memory.swap: needs memory.limit: it is memory and swap together",
  });
});

test("a change that fails is taken back", (t) => {
  const hierarchy = fakeHierarchy(t, {
    "slice/c/pids.max": "max\n",
    "slice/c/memory.max": "1048576\n",
    "slice/c/cpuset.cpus": "\n",
  });
  const directory = `${hierarchy.mountPoint}/slice/c`;
  const content = (file: string) => readFileSync(`${directory}/${file}`, "utf8").trim();
  const cgroup = new Cgroup({ "": directory });
  assert.throws(
    () =>
      cgroup.set({
        memory: { limit: 5 },
        cpu: { cpus: "0" },
        pids: { limit: 5 },
        hugepageLimits: [],
        unified: { "io.none": "1" },
      }),
    { message: /^linux\.resources\.unified\["io\.none"\]: write "1" to ".*\/io\.none": no such file/ },
  );
  assert.deepEqual(["memory.max", "cpuset.cpus", "pids.max"].map(content), ["1048576", "", "max"]);
});

test("the cgroup is left to a user: its directory, and the files that the kernel names, as far as they are there", (t) => {
  if (process.geteuid?.() !== 0) return t.skip("needs root");
  const hierarchy = fakeHierarchy(t);
  const directory = `${hierarchy.mountPoint}/slice/c`;
  const list = join(hierarchy.mountPoint, "delegate");
  const owned = () => readdirSync(directory).filter((file) => statSync(join(directory, file)).uid === 1234);
  writeFileSync(list, "cgroup.procs\ncgroup.freeze\nmemory.reclaim\n");
  delegate(directory, 1234, list);
  assert.equal(statSync(directory).uid, 1234);
  assert.deepEqual(owned().sort(), ["cgroup.freeze", "cgroup.procs"]);
  delegate(directory, 0, list);
  delegate(directory, 1234, join(hierarchy.mountPoint, "none"));
  assert.deepEqual(owned().sort(), ["cgroup.procs", "cgroup.subtree_control"]);
  assert.equal(statSync(join(directory, "cgroup.procs")).gid, 0);
});

test("a cgroup has an owner only where v2 has all controllers, and somebody has rights over it", (t) => {
  const v2 = fakeHierarchy(t);
  const v1: Hierarchy = { ...v2, version: 1, controllers: ["devices", "memory"] };
  const named: Hierarchy = { ...v2, version: 1, controllers: [], name: "systemd" };
  const ownerIn = (hierarchies: Hierarchy[], rootless = false) =>
    planCgroup(hierarchies, { id: "c", cgroupsPath: "/slice/c", owner: 5, rootless }).owner;
  assert.equal(ownerIn([v2]), 5);
  assert.equal(ownerIn([named, v2]), 5);
  assert.equal(ownerIn([v1, v2]), undefined);
  assert.equal(ownerIn([v2], true), undefined);
});
