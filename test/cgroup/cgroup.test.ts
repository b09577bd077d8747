import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Cgroup } from "../../src/cgroup/cgroup.js";
import { type Hierarchy, isUnified, keysOf } from "../../src/cgroup/hierarchy.js";
import { makeCgroup } from "../../src/cgroup/make-cgroup.js";
import { type CgroupRequest, planCgroup } from "../../src/cgroup/plan-cgroup.js";
import { sys } from "../../src/linux/syscall.js";
import { ending, enter, hostHierarchies, isDirectory, ownParent, read } from "./playground.js";

const V1 = ["cpu", "cpuset", "memory", "devices", "freezer", "pids"];

/** Makes the cgroup "c" below a parent of its own. */
function make(
  t: TestContext,
  hierarchies: Hierarchy[],
  request: Partial<CgroupRequest> = {},
): { cgroup: Cgroup; undo: () => void; parent: string } {
  const parent = ownParent(t, hierarchies);
  const plan = planCgroup(hierarchies, { id: "c", cgroupsPath: `${parent}/c`, ...request });
  return { cgroup: plan.cgroup, undo: makeCgroup(plan), parent };
}

test("v1: a cgroup in each v1 hierarchy, usable, and nothing of it after undo", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup, undo, parent } = make(t, hierarchies);
  const v1 = hierarchies.filter(({ version }) => version === 1);
  assert.deepEqual(
    cgroup.paths,
    Object.fromEntries(v1.flatMap((h) => keysOf(h).map((key) => [key, `${h.mountPoint}${parent}/c`]))),
  );
  for (const directory of cgroup.directories) assert.ok(isDirectory(directory), directory);
  assert.ok(cgroup.exists);
  const { cpuset } = cgroup.paths;
  const top = cpuset.slice(0, -`${parent}/c`.length);
  for (const file of ["cpuset.cpus", "cpuset.mems"]) assert.equal(read(`${cpuset}/${file}`), read(`${top}/${file}`));
  undo();
  assert.equal(cgroup.exists, false);
  for (const { mountPoint } of hierarchies) assert.equal(isDirectory(mountPoint + parent), false);
});

test("v1: limits are what the config says", (t) => {
  const hierarchies = hostHierarchies(t, { v1: [...V1, "blkio"] });
  if (!hierarchies) return;
  const { cgroup } = make(t, hierarchies, {
    resources: {
      memory: { limit: 67108864, swap: 134217728, reservation: 33554432, swappiness: 10, disableOOMKiller: true },
      cpu: { shares: 512, quota: 50000, period: 200000, burst: 1000, cpus: "0", mems: "0" },
      pids: { limit: 42 },
      blockIO: { weight: 200 },
    },
  });
  const { memory, cpu, cpuset, pids, blkio } = cgroup.paths;
  assert.equal(read(`${memory}/memory.limit_in_bytes`), "67108864");
  assert.equal(read(`${memory}/memory.memsw.limit_in_bytes`), "134217728");
  assert.equal(read(`${memory}/memory.soft_limit_in_bytes`), "33554432");
  assert.equal(read(`${memory}/memory.swappiness`), "10");
  assert.match(read(`${memory}/memory.oom_control`), /^oom_kill_disable 1$/m);
  assert.equal(read(`${cpu}/cpu.shares`), "512");
  assert.equal(read(`${cpu}/cpu.cfs_quota_us`), "50000");
  assert.equal(read(`${cpu}/cpu.cfs_period_us`), "200000");
  assert.equal(read(`${cpu}/cpu.cfs_burst_us`), "1000");
  assert.equal(read(`${cpuset}/cpuset.cpus`), "0");
  assert.equal(read(`${cpuset}/cpuset.mems`), "0");
  assert.equal(read(`${pids}/pids.max`), "42");
  assert.match(read(`${blkio}/blkio.bfq.weight`), /\b200\b/);
});

test("v1: limits that depend on each other are changed up and down, whatever is given first", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup } = make(t, hierarchies, { resources: { memory: { limit: 50 << 20, swap: 60 << 20 } } });
  const again = new Cgroup(JSON.parse(JSON.stringify(cgroup.paths)));
  const limits = () =>
    ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map(
      (file) => Number(read(`${cgroup.paths.memory}/${file}`)) / (1 << 20),
    );
  again.set({ memory: { limit: 100 << 20, swap: 120 << 20 } });
  assert.deepEqual(limits(), [100, 120]);
  again.set({ memory: { limit: 10 << 20, swap: 20 << 20 } });
  assert.deepEqual(limits(), [10, 20]);
  again.set({ memory: { limit: -1 } });
  assert.ok(limits().every((limit) => limit > 1e9));
  again.set({ cpu: { quota: 100000, burst: 100000 } });
  again.set({ cpu: { quota: 50000, burst: 20000 } });
  assert.equal(read(`${cgroup.paths.cpu}/cpu.cfs_burst_us`), "20000");
  assert.throws(() => again.set({ memory: { limit: 100 << 20, swap: 50 << 20 } }), {
    message: new RegExp(
      '^linux\\.resources\\.memory\\.swap: write "52428800" to ".*/memory\\.memsw\\.limit_in_bytes": ' +
        "invalid argument \\(EINVAL\\) \\(it is memory and swap together",
    ),
  });
});

test("v1: a limit that the kernel refuses is named, and nothing is left", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const parent = ownParent(t, hierarchies);
  const plan = planCgroup(hierarchies, {
    id: "c",
    cgroupsPath: `${parent}/c`,
    resources: { cpu: { cpus: "0-99999" }, pids: { limit: 1 } },
  });
  assert.throws(() => makeCgroup(plan), {
    name: "Failure",
    message: /^linux\.resources\.cpu\.cpus: write "0-99999" to "\/.*\/c\/cpuset\.cpus": [a-z ]+ \(E[A-Z]+\)/,
  });
  for (const { mountPoint } of hierarchies) assert.equal(isDirectory(mountPoint + parent), false);
});

test("v1: a process gets in by the entry, is found, stopped, let go on, and killed with its children", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup } = make(t, hierarchies);
  const child = await enter(t, cgroup, "sleep 60 & sleep 60");
  const pid = child.pid as number;
  const own = Object.fromEntries(
    read(`/proc/${pid}/cgroup`)
      .split("\n")
      .map((line) => line.split(":").slice(1)),
  );
  for (const hierarchy of hierarchies.filter(({ version }) => version === 1)) {
    const path = own[keysOf(hierarchy).join(",")];
    assert.equal(hierarchy.mountPoint + path, cgroup.paths[keysOf(hierarchy)[0]]);
  }
  while (cgroup.processes().length < 3) await delay(1);
  // One of them moves on into a cgroup of its own.
  const { freezer } = cgroup.paths;
  mkdirSync(`${freezer}/child`);
  const moved = cgroup.processes().find((process) => process !== pid) as number;
  writeFileSync(`${freezer}/child/cgroup.procs`, String(moved));
  assert.equal(cgroup.processes().length, 3);
  assert.ok(cgroup.processes().includes(moved));

  assert.equal(cgroup.isFrozen, false);
  cgroup.freeze();
  assert.equal(cgroup.isFrozen, true);
  assert.equal(read(`${freezer}/freezer.state`), "FROZEN");
  cgroup.thaw();
  assert.equal(cgroup.isFrozen, false);

  cgroup.signalAll(0);
  assert.equal(cgroup.processes().length, 3);
  cgroup.freeze();
  cgroup.signalAll(15);
  assert.equal(cgroup.isFrozen, true);
  assert.equal(cgroup.processes().length, 3);
  cgroup.signalAll(9);
  assert.equal(await ending(child), "SIGKILL");
  cgroup.remove();
  assert.equal(cgroup.exists, false);
  cgroup.remove();
  assert.deepEqual(cgroup.processes(), []);
  assert.equal(cgroup.isFrozen, false);
});

test("v1: a cgroup with processes is not removed, and not taken for another container", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup, parent } = make(t, hierarchies);
  const child = await enter(t, cgroup);
  const request = { id: "c", resources: {} };
  for (const cgroupsPath of [`${parent}/c`, parent]) {
    assert.throws(() => makeCgroup(planCgroup(hierarchies, { ...request, cgroupsPath })), {
      message: /^make cgroup ".*": it is there, with 1 process in it \(does another container have this linux/,
    });
  }
  assert.ok(cgroup.directories.every(isDirectory));
  assert.throws(() => cgroup.remove(), {
    message: /^remove cgroup ".*": device or resource busy \(EBUSY\) \(a process is left in it\)$/,
  });
  cgroup.signalAll(9);
  await ending(child);
  cgroup.remove();
  assert.equal(cgroup.exists, false);
});

test("v1: what a killed creation left is taken over, stopped as it may be", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup, parent } = make(t, hierarchies);
  const { cpuset, freezer } = cgroup.paths;
  // As if it had been killed just after the cpuset was made.
  cgroup.remove();
  for (const directory of [cpuset, freezer]) mkdirSync(directory);
  cgroup.freeze();
  const undo = makeCgroup(planCgroup(hierarchies, { id: "c", cgroupsPath: `${parent}/c` }));
  assert.notEqual(read(`${cpuset}/cpuset.cpus`), "");
  assert.equal(cgroup.isFrozen, false);
  // It removes what it made.
  undo();
  assert.deepEqual(cgroup.directories.filter(isDirectory).sort(), [cpuset, freezer].sort());
  cgroup.remove();
});

test("v1: parents without CPUs are given some, also where the container has its own", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const parent = ownParent(t, hierarchies);
  const top = hierarchies.find(({ controllers }) => controllers.includes("cpuset"))?.mountPoint as string;
  mkdirSync(`${top}${parent}`);
  const plan = planCgroup(hierarchies, { id: "c", cgroupsPath: `${parent}/c`, resources: { cpu: { cpus: "0" } } });
  makeCgroup(plan);
  assert.equal(read(`${top}${parent}/cpuset.cpus`), read(`${top}/cpuset.cpus`));
  assert.equal(read(`${top}${parent}/c/cpuset.cpus`), "0");
  assert.equal(read(`${top}${parent}/c/cpuset.mems`), read(`${top}/cpuset.mems`));
  plan.cgroup.remove();
});

/** A shell script that says by its status what can be done with a device file of c 1:11 (not allowed) and with /dev/full. */
const DEVICE_PROBE = (node: string) => `
  : > /dev/full || exit 1
  mknod ${node} c 1 11 || exit 2
  if (: < ${node}) 2>/dev/null; then exit 3; fi
  exit 42`;

function nodePath(t: TestContext): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(directory, { recursive: true }));
  execFileSync("mknod", [`${directory}/probe`, "c", "1", "11"]);
  try {
    execFileSync("/bin/sh", ["-c", `: < ${directory}/probe`], { stdio: "ignore" });
  } catch {
    t.skip("needs the device c 1:11 to be usable");
    return undefined;
  }
  return `${directory}/node`;
}

test("v1: only the devices allowed can be used", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  const node = hierarchies && nodePath(t);
  if (!hierarchies || !node) return;
  const { cgroup } = make(t, hierarchies, {
    resources: {
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "b", major: 8, access: "r" },
      ],
    },
  });
  assert.equal(
    read(`${cgroup.paths.devices}/devices.list`).split("\n").sort().join("; "),
    "b *:* m; b 8:* r; c *:* m; c 136:* rwm; c 1:3 rwm; c 1:5 rwm; c 1:7 rwm; c 1:8 rwm; c 1:9 rwm; c 5:0 rwm; c 5:2 rwm",
  );
  assert.equal(await ending(await enter(t, cgroup, DEVICE_PROBE(node))), 42);
});

test("v1: all devices, but for one", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup } = make(t, hierarchies, {
    resources: { devices: [{ allow: true, access: "rwm" }] },
  });
  assert.equal(read(`${cgroup.paths.devices}/devices.list`), "a *:* rwm");
  const { cgroup: other } = make(t, hierarchies, {
    resources: {
      devices: [
        { allow: true, access: "rwm" },
        { allow: false, type: "b", major: 8, minor: 1, access: "w" },
      ],
    },
  });
  // In this mode the kernel lists what is allowed in general only; that is "all".
  assert.equal(read(`${other.paths.devices}/devices.list`), "a *:* rwm");
});

test("a relative path, and none, go below the runtime's own cgroup", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  const { cgroup, parent } = make(t, hierarchies);
  // As a runtime would see them that runs in this cgroup.
  const inside = hierarchies.map((hierarchy) => ({ ...hierarchy, ownPath: `${parent}/c` }));
  const plan = planCgroup(inside, { id: "child" });
  const undo = makeCgroup(plan);
  assert.equal(plan.cgroup.paths.memory, `${cgroup.paths.memory}/child`);
  assert.ok(plan.cgroup.directories.every(isDirectory));
  undo();
  assert.ok(!plan.cgroup.exists && cgroup.exists);
});

test("a user without rights does without cgroups, unless a limit needs one", (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1 });
  if (!hierarchies) return;
  sys("setresuid", -1, 65534, -1); // this thread alone; not every build of Node lets process.seteuid be called
  try {
    const plan = planCgroup(hierarchies, { id: "c", rootless: true, resources: { pids: { limit: -1 } } });
    assert.deepEqual(plan.cgroup.paths, {});
    makeCgroup(plan)();
    assert.deepEqual(plan.cgroup.openEntry(), { tasks: [] });
    assert.throws(() => planCgroup(hierarchies, { id: "c", rootless: true, resources: { pids: { limit: 1 } } }), {
      message:
        "linux.resources.pids.limit: the container could not join or create cgroup: this user may not make the cgroup for it",
    });
    const explicit = planCgroup(hierarchies, { id: "c", rootless: true, cgroupsPath: "/fdrunc-test-none" });
    assert.throws(() => makeCgroup(explicit), {
      message: /^make cgroup "\/.*\/fdrunc-test-none": permission denied \(EACCES\)$/,
    });
  } finally {
    sys("setresuid", -1, 0, -1);
  }
});

test("a host without cgroups is told of by name", () => {
  assert.throws(() => planCgroup([], { id: "c" }), {
    message: "linux.resources.devices: no cgroup hierarchy that controls devices is mounted",
  });
  assert.throws(() => planCgroup([], { id: "c", resources: { memory: { limit: 1 } } }), {
    message: 'linux.resources.memory.limit: there is no cgroup controller "memory" here',
  });
});

/** The v2 hierarchy as a host would have it that has no other. */
function unifiedOnly(hierarchies: Hierarchy[]): Hierarchy[] {
  const unified = hierarchies.filter(({ version }) => version === 2);
  assert.ok(isUnified(unified));
  return unified;
}

test("v2: a process is found, stopped, let go on, and killed with its children", async (t) => {
  const hierarchies = hostHierarchies(t, { v2: [] });
  if (!hierarchies) return;
  const { cgroup } = make(t, unifiedOnly(hierarchies));
  assert.deepEqual(Object.keys(cgroup.paths), [""]);
  const child = await enter(t, cgroup, "sleep 60 & sleep 60");
  while (cgroup.processes().length < 3) await delay(1);
  cgroup.freeze();
  assert.equal(cgroup.isFrozen, true);
  assert.match(read(`${cgroup.paths[""]}/cgroup.events`), /^frozen 1$/m);
  cgroup.thaw();
  assert.equal(cgroup.isFrozen, false);
  cgroup.freeze();
  cgroup.signalAll(9);
  assert.equal(await ending(child), "SIGKILL");
  cgroup.remove();
  assert.equal(cgroup.exists, false);
});

test("v2: a parent that lets no cgroup be made below it is told of", (t) => {
  const hierarchies = hostHierarchies(t, { v2: [] });
  if (!hierarchies) return;
  const unified = unifiedOnly(hierarchies);
  const parent = ownParent(t, hierarchies);
  const directory = unified[0].mountPoint + parent;
  mkdirSync(directory);
  writeFileSync(`${directory}/cgroup.max.descendants`, "0");
  assert.throws(() => makeCgroup(planCgroup(unified, { id: "c", cgroupsPath: `${parent}/c` })), {
    message: `make cgroup "${directory}/c": resource temporarily unavailable (EAGAIN) (cgroup.max.descendants or cgroup.max.depth of a cgroup above it does not allow more)`,
  });
});

test("v2: a signal other than KILL reaches all", async (t) => {
  const hierarchies = hostHierarchies(t, { v2: [] });
  if (!hierarchies) return;
  const { cgroup } = make(t, unifiedOnly(hierarchies));
  const children = [await enter(t, cgroup), await enter(t, cgroup)];
  cgroup.signalAll(15);
  for (const child of children) assert.equal(await ending(child), "SIGTERM");
});

test("v2: only the devices allowed can be used, and a new policy replaces the old one", async (t) => {
  const hierarchies = hostHierarchies(t, { v2: [] });
  const node = hierarchies && nodePath(t);
  if (!hierarchies || !node) return;
  const { cgroup, parent } = make(t, unifiedOnly(hierarchies));
  assert.equal(await ending(await enter(t, cgroup, DEVICE_PROBE(node))), 42);
  rmSync(node);
  while (cgroup.processes().length > 0) await delay(1);
  makeCgroup(
    planCgroup(unifiedOnly(hierarchies), {
      id: "c",
      cgroupsPath: `${parent}/c`,
      resources: { devices: [{ allow: true, access: "rwm" }] },
    }),
  );
  assert.equal(await ending(await enter(t, cgroup, DEVICE_PROBE(node))), 3);
});

test("v1 with a controller that only v2 has: a cgroup there too", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: V1, v2: ["hugetlb"] });
  if (!hierarchies) return;
  const { cgroup, parent } = make(t, hierarchies, {
    resources: { hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }], pids: { limit: 7 } },
  });
  assert.equal(read(`${cgroup.paths[""]}/hugetlb.2MB.max`), "4194304");
  assert.equal(read(`${cgroup.paths[""]}/hugetlb.2MB.rsvd.max`), "4194304");
  assert.equal(read(`${cgroup.paths.pids}/pids.max`), "7");
  const child = await enter(t, cgroup);
  assert.match(read(`/proc/${child.pid}/cgroup`), new RegExp(`^0::${parent}/c$`, "m"));
  assert.match(read(`/proc/${child.pid}/cgroup`), new RegExp(`:pids:${parent}/c$`, "m"));
  new Cgroup(cgroup.paths).set({ hugepageLimits: [{ pageSize: "2MB", limit: 0 }] });
  assert.equal(read(`${cgroup.paths[""]}/hugetlb.2MB.max`), "0");
  cgroup.signalAll(9);
  assert.equal(await ending(child), "SIGKILL");
  cgroup.remove();
});

test("v2: below a cgroup that holds processes no controller can be had", async (t) => {
  const hierarchies = hostHierarchies(t, { v2: ["hugetlb"] });
  if (!hierarchies) return;
  const { cgroup, parent } = make(t, unifiedOnly(hierarchies));
  await enter(t, cgroup);
  const plan = planCgroup(unifiedOnly(hierarchies), {
    id: "child",
    cgroupsPath: `${parent}/c/child`,
    resources: { hugepageLimits: [{ pageSize: "2MB", limit: 0 }] },
  });
  assert.throws(() => makeCgroup(plan), {
    message:
      `write "+hugetlb" to "${cgroup.paths[""]}/cgroup.subtree_control": device or resource busy (EBUSY) ` +
      "(a cgroup that holds processes cannot hand out controllers)",
  });
  assert.equal(plan.cgroup.exists, false);
});
