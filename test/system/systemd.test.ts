import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import { withCriu } from "./criu.js";
import { asRoot, eventually, type FullConfig, type Result, type Scene, TAG } from "./harness.js";

const hasSystemd = existsSync("/run/systemd/system");
const unified = isUnified(cgroupHierarchies());

/** A test of containers whose cgroups systemd makes. */
function underSystemd(name: string, run: (s: Scene, t: TestContext) => void | Promise<void>): void {
  asRoot(`systemd: ${name}`, async (s, t) => {
    if (!hasSystemd) return t.skip("needs systemd");
    if (!unified) return t.skip("needs cgroup v2 alone");
    await run(s, t);
  });
}

const systemctl = (...args: string[]): SpawnSyncReturns<string> => spawnSync("systemctl", args, { encoding: "utf8" });

/** Properties of a unit, as systemd has them. */
function shown(unit: string, ...names: string[]): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const line of systemctl("show", unit, `--property=${names}`).stdout.trimEnd().split("\n")) {
    const end = line.indexOf("=");
    const [name, value] = [line.slice(0, end), line.slice(end + 1)];
    properties[name] = name in properties ? `${properties[name]}\n${value}` : value;
  }
  return properties;
}

/** The units of the tests' that systemd knows. */
const units = (): string[] =>
  systemctl("list-units", "--all", "--plain", "--no-legend", `*${TAG}*`)
    .stdout.split("\n")
    .map((line) => line.split(" ")[0])
    .filter(Boolean);

const isGone = () => eventually(() => assert.deepEqual(units(), []));

/** Calls fdrunc with systemd as the manager, for a container in a unit of the tests' own. */
function call(s: Scene, command: string, change: (config: FullConfig) => void = () => {}): Result {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.linux.cgroupsPath = `:${TAG}:unit`;
    change(config);
  });
  return s.fdrunc(["--systemd-cgroup", command, "c"]);
}

const UNIT = `${TAG}-unit.scope`;
const CGROUP = `/sys/fs/cgroup/system.slice/${UNIT}`;
const read = (file: string, cgroup = CGROUP) => readFileSync(`${cgroup}/${file}`, "utf8").trim();
const cgroupOfInit = (s: Scene) => readFileSync(`/proc/${s.stateOf().pid}/cgroup`, "utf8");

asRoot("without systemd, what needs it says so and leaves nothing", (s, t) => {
  if (hasSystemd) return t.skip("needs a machine without systemd");
  assert.match(
    call(s, "create").fails(),
    /^connect to systemd: connect to "\/run\/systemd\/private": .* \(with --cgroup-manager cgroupfs, .*\)$/,
  );
  s.assertNothingLeft();
});

underSystemd("a container is in a scope, with limits that systemd and the kernel know; both go with it", (s) => {
  const change = ({ linux }: FullConfig) =>
    Object.assign(linux.resources, {
      memory: { limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20 },
      cpu: { shares: 512, quota: 12_345, period: 50_000, cpus: "0", mems: "0" },
      pids: { limit: 17 },
      unified: { "memory.high": String(48 << 20), "memory.oom.group": "1" },
    });
  call(s, "create", change).succeeds();
  assert.equal(cgroupOfInit(s), `0::/system.slice/${UNIT}\n`);
  const expected: Record<string, string> = {
    ...{ Description: "fdrunc container c", Slice: "system.slice", Delegate: "yes", ActiveState: "active" },
    ...{ MemoryMax: String(64 << 20), MemoryLow: String(32 << 20), MemorySwapMax: String(32 << 20) },
    ...{ MemoryHigh: String(48 << 20), CPUWeight: "59", CPUQuotaPerSecUSec: "250ms", CPUQuotaPeriodUSec: "50ms" },
    ...{ AllowedCPUs: "0", AllowedMemoryNodes: "0", TasksMax: "17", DevicePolicy: "strict" },
    ...{ CPUAccounting: "yes", MemoryAccounting: "yes", TasksAccounting: "yes", IOAccounting: "yes" },
  };
  assert.deepEqual(shown(UNIT, ...Object.keys(expected)), expected);
  assert.match(shown(UNIT, "DeviceAllow").DeviceAllow, /\/dev\/char\/1:3 rwm/);
  const files = {
    ...{ "memory.max": String(64 << 20), "memory.low": String(32 << 20), "memory.swap.max": String(32 << 20) },
    ...{ "memory.high": String(48 << 20), "memory.oom.group": "1", "cpu.weight": "59", "pids.max": "17" },
    // As it was asked for, not in whole percents.
    ...{ "cpu.max": "12345 50000", "cpuset.cpus": "0", "cpuset.mems": "0" },
  };
  for (const [file, text] of Object.entries(files)) assert.equal(read(file), text, file);
  s.fdrunc(["start", "c"]).succeeds();
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  isGone();
  s.assertNothingLeft();
});

underSystemd("limits stay when systemd sets its own again", (s) => {
  const change = (config: FullConfig) => {
    config.process.args = ["sh", "-c", "while :; do : < /dev/null || exit; sleep 0.1; done"];
    Object.assign(config.linux.resources, { memory: { limit: 64 << 20 }, cpu: { quota: 50_000 }, pids: { limit: 17 } });
  };
  call(s, "create", change).succeeds();
  s.fdrunc(["start", "c"]).succeeds();
  assert.equal(systemctl("daemon-reload").status, 0);
  assert.equal(systemctl("set-property", "--runtime", UNIT, "IOWeight=50").status, 0);
  assert.deepEqual(
    ["memory.max", "cpu.max", "pids.max"].map((file) => read(file)),
    [String(64 << 20), "50000 100000", "17"],
  );
  assert.equal(s.status(), "running");
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  isGone();
});

underSystemd("update changes what systemd and the kernel know, and exactly", (s) => {
  call(s, "create").succeeds();
  const flags = ["--memory", "48m", "--memory-swap", "64m", "--cpu-quota", "12345", "--cpu-period", "50000"];
  s.fdrunc(["update", ...flags, "--pids-limit", "21", "--cpu-share", "2048", "--cpuset-cpus", "0", "c"]).succeeds();
  const expected = {
    ...{ MemoryMax: String(48 << 20), MemorySwapMax: String(16 << 20), CPUQuotaPerSecUSec: "250ms" },
    ...{ CPUQuotaPeriodUSec: "50ms", TasksMax: "21", CPUWeight: "174", AllowedCPUs: "0" },
  };
  assert.deepEqual(shown(UNIT, ...Object.keys(expected)), expected);
  const files = {
    ...{ "memory.max": String(48 << 20), "memory.swap.max": String(16 << 20), "cpu.max": "12345 50000" },
    ...{ "pids.max": "21", "cpu.weight": "174", "cpuset.cpus": "0" },
  };
  for (const [file, text] of Object.entries(files)) assert.equal(read(file), text, file);
  s.fdrunc(["update", "--memory", "-1", "--pids-limit", "-1", "c"]).succeeds();
  assert.deepEqual(shown(UNIT, "MemoryMax", "TasksMax"), { MemoryMax: "infinity", TasksMax: "infinity" });
  assert.deepEqual([read("memory.max"), read("pids.max")], ["max", "max"]);
  // What the kernel refuses, systemd does not hear of.
  assert.match(
    s.fdrunc(["update", "--pids-limit", "5", "--cpuset-cpus", "4000", "c"]).fails(),
    /^--cpuset-cpus "4000"/,
  );
  assert.deepEqual(shown(UNIT, "TasksMax", "AllowedCPUs"), { TasksMax: "infinity", AllowedCPUs: "0" });
  assert.equal(read("pids.max"), "max");
});

underSystemd("slices by their dashes, the root slice, and a unit that is a slice itself", (s) => {
  const slice = `${TAG.replaceAll("-", "_")}-a-b`;
  const [top, middle] = [slice.split("-")[0], slice.slice(0, -2)];
  const other = `${middle}-other`;
  const places: [path: string, cgroup: string][] = [
    [`${slice}.slice:${TAG}:unit`, `/${top}.slice/${middle}.slice/${slice}.slice/${UNIT}`],
    [`-.slice:${TAG}:unit`, `/${UNIT}`],
    [`${middle}.slice::${other}.slice`, `/${top}.slice/${middle}.slice/${other}.slice`],
  ];
  try {
    for (const [path, cgroup] of places) {
      call(s, "create", ({ linux }) => {
        linux.cgroupsPath = path;
        linux.resources = { ...linux.resources, pids: { limit: 9 } };
      }).succeeds();
      assert.equal(cgroupOfInit(s), `0::${cgroup}\n`);
      assert.equal(read("pids.max", `/sys/fs/cgroup${cgroup}`), "9");
      s.fdrunc(["delete", "--force", "c"]).succeeds();
      assert.equal(existsSync(`/sys/fs/cgroup${cgroup}`), false);
    }
  } finally {
    // systemd keeps slices that it made for others.
    systemctl("stop", `${slice}.slice`, `${middle}.slice`, `${top}.slice`);
  }
  isGone();
});

const annotation = (name: string, text: string) => (config: FullConfig) => {
  config.annotations[`org.systemd.property.${name}`] = text;
};

underSystemd("annotations set properties", (s) => {
  call(s, "create", (config) => {
    annotation("TimeoutStopSec", "7")(config);
    annotation("CollectMode", "'inactive-or-failed'")(config);
    annotation("MemoryMin", "uint64 4096")(config);
  }).succeeds();
  const expected = { TimeoutStopUSec: "7s", CollectMode: "inactive-or-failed", MemoryMin: "4096" };
  assert.deepEqual(shown(UNIT, ...Object.keys(expected)), expected);
  assert.equal(read("memory.min"), "4096");
});

underSystemd("what systemd refuses is told by its place in the config, and nothing is left", (s) => {
  const refused: [change: (config: FullConfig) => void, message: RegExp][] = [
    [
      annotation("NoSuchProperty", "true"),
      /^annotations\["org\.systemd\.property\.NoSuchProperty"\]: start systemd unit ".*": Cannot set property /,
    ],
    [annotation("KillSignal", "9999"), /^annotations\["org\.systemd\.property\.KillSignal"\]: start .*: Invalid /],
    [annotation("TasksMax", "true"), /: Failed to set unit properties: .* \(are the values of the annotations .*\)$/],
    [
      ({ linux }) => Object.assign(linux.resources, { unified: { "cpu.weight": "20000" } }),
      /^linux\.resources\.unified\["cpu\.weight"\]: start systemd unit .*CPUWeight/,
    ],
    [
      ({ linux }) => Object.assign(linux.resources, { unified: { "memory.max": "nonsense" } }),
      /^linux\.resources\.unified\["memory\.max"\]: write "nonsense" to "/,
    ],
  ];
  for (const [change, message] of refused) {
    assert.match(call(s, "create", change).fails(), message);
    isGone();
    s.assertNothingLeft();
  }
});

underSystemd("a unit that is there is left alone, unless it has failed", (s) => {
  const { child: other } = s.spawn(["systemd-run", "--quiet", "--scope", `--unit=${UNIT}`, "sleep", "1000"]);
  try {
    eventually(() => assert.equal(shown(UNIT, "ActiveState").ActiveState, "active"));
    assert.equal(
      call(s, "create").fails(),
      `start systemd unit "${UNIT}": it is there already (does another container have this linux.cgroupsPath?)`,
    );
    assert.equal(shown(UNIT, "ActiveState").ActiveState, "active");
  } finally {
    systemctl("stop", UNIT);
    other.kill("SIGKILL");
  }
  isGone();
  // It runs longer than it may: so it fails.
  const brief = ["--quiet", "--scope", `--unit=${UNIT}`, "--property=RuntimeMaxSec=1", "sleep", "1000"];
  spawnSync("systemd-run", brief, { stdio: "ignore" });
  eventually(() => assert.equal(shown(UNIT, "ActiveState").ActiveState, "failed"));
  call(s, "create").succeeds();
  assert.equal(shown(UNIT, "ActiveState").ActiveState, "active");
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  isGone();
});

underSystemd("a container that its unit's end has ended, and one that failed with it, are deleted", (s) => {
  call(s, "create", (config) => {
    // More than it takes to create it on a slow machine.
    annotation("RuntimeMaxSec", "10")(config);
    annotation("TimeoutStopSec", "1")(config);
  }).succeeds();
  eventually(() => assert.equal(shown(UNIT, "ActiveState").ActiveState, "failed"));
  assert.equal(s.status(), "stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  isGone();
  call(s, "create", annotation("TimeoutStopSec", "1")).succeeds();
  assert.equal(systemctl("stop", UNIT).status, 0);
  assert.equal(s.status(), "stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  isGone();
});

underSystemd("what fails after the unit was started takes it along", (s) => {
  const change = (config: FullConfig) => {
    config.process.args = ["no-such-program"];
  };
  assert.match(call(s, "run", change).fails(), /no-such-program/);
  isGone();
  s.assertNothingLeft();
});

underSystemd("run in the foreground gives back the program's status and leaves nothing", (s) => {
  assert.equal(
    call(s, "run", (config) => {
      config.process.args = ["sh", "-c", "cat /proc/self/cgroup; exit 7"];
    }).status,
    7,
  );
  isGone();
  s.assertNothingLeft();
});

underSystemd("the unit is as runc makes it", (s, t) => {
  if (spawnSync("runc", ["--version"]).error) return t.skip("needs runc");
  const change = ({ linux }: FullConfig) =>
    Object.assign(linux.resources, {
      memory: { limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20 },
      cpu: { shares: 512, quota: 12_345, period: 50_000, cpus: "0", mems: "0" },
      pids: { limit: 17 },
    });
  /** The unit's properties, and the contents of the cgroup's files. */
  const look = () => {
    // Older versions of runc name groups of devices, and allow the TUN device where there is one.
    const stdout = systemctl("show", UNIT)
      .stdout.replace("char-pts", "char-136")
      .replace("DeviceAllow=/dev/char/10:200 rwm\n", "");
    const lines = stdout.split("\n").filter((line) => !DIFFERENT.some((name) => line.startsWith(`${name}=`)));
    return [...lines.sort(), ...FILES.map((file) => `${file}: ${read(file)}`)];
  };
  call(s, "create", change).succeeds();
  const ours = look();
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  isGone();
  const runc = ["--root", s.path("runc"), "--systemd-cgroup"];
  const options = { cwd: s.bundle, stdio: "ignore" } as const;
  assert.equal(spawnSync("runc", [...runc, "create", "c"], options).status, 0);
  try {
    assert.deepEqual(ours, look());
  } finally {
    spawnSync("runc", [...runc, "delete", "--force", "c"], options);
  }
  isGone();
});

/** The files that resources are written to. */
const FILES = "cpu.max cpuset.cpus cpuset.mems memory.low memory.max memory.swap.max pids.max".split(" ");

/** Properties that are not compared: the name, what is counted, times and ids of the moment. */
const DIFFERENT = [
  ...["Description", "ControlGroupId", "InvocationID", "MemoryCurrent", "MemoryAvailable", "CPUUsageNSec"],
  ...["TasksCurrent", "IOReadBytes", "IOReadOperations", "IOWriteBytes", "IOWriteOperations"],
  ...["StateChangeTimestamp", "StateChangeTimestampMonotonic", "InactiveExitTimestamp", "ConditionTimestamp"],
  ...["InactiveExitTimestampMonotonic", "ActiveEnterTimestamp", "ActiveEnterTimestampMonotonic"],
  ...["ConditionTimestampMonotonic", "AssertTimestamp", "AssertTimestampMonotonic"],
  // Older versions of runc map shares to weights by another formula.
  "CPUWeight",
  // runc sets what it has set when the unit was made once more, which systemd writes down.
  ...["DropInPaths", "NeedDaemonReload"],
];

underSystemd("a container may be in a cgroup below its unit's, and its process below that", (s) => {
  call(s, "create", (config) => {
    config.annotations["run.oci.systemd.subgroup"] = "in/ner";
    config.annotations["run.oci.delegate-cgroup"] = "own";
    config.linux.namespaces.push({ type: "cgroup" });
    config.linux.resources.pids = { limit: 21 };
  }).succeeds();
  assert.match(cgroupOfInit(s), new RegExp(`/${UNIT}/in/ner/own\n$`));
  assert.equal(read("pids.max", `${CGROUP}/in/ner`), "21");
  s.fdrunc(["start", "c"]).succeeds();
  // The container's cgroup is the root of its namespace.
  assert.equal(s.fdrunc(["exec", "c", "cat", "/proc/1/cgroup", "/proc/self/cgroup"]).succeeds(), "0::/own\n0::/\n");
  s.fdrunc(["pause", "c"]).succeeds();
  assert.equal(read("cgroup.freeze", `${CGROUP}/in/ner`), "1");
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  isGone();
  assert.equal(existsSync(CGROUP), false);
});

withCriu("systemd: a restored container is in a unit again, with its limits", (s, fdrunc, t) => {
  if (!hasSystemd) return t.skip("needs systemd");
  if (!unified) return t.skip("needs cgroup v2 alone");
  call(s, "create", ({ linux }) => {
    linux.resources.pids = { limit: 21 };
  }).succeeds();
  s.fdrunc(["start", "c"]).succeeds();
  fdrunc(["checkpoint", "--image-path", s.path("image"), "c"]).succeeds();
  isGone();
  fdrunc(["--systemd-cgroup", "restore", "--detach", "--image-path", s.path("image"), "c"]).succeeds();
  assert.match(cgroupOfInit(s), new RegExp(`/${UNIT}\n$`));
  assert.deepEqual(shown(UNIT, "ActiveState", "TasksMax"), { ActiveState: "active", TasksMax: "21" });
  assert.equal(read("pids.max"), "21");
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  isGone();
});
