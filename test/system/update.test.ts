import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import type { Resources } from "../../src/generated/config.js";
import { asRoot, cgroupOf, type FullConfig, type Result, type Scene, SYSTEMD, system, withCgroups } from "./harness.js";
import { besideRunc } from "./pair.js";

const MIB = 1 << 20;
const unified = isUnified(cgroupHierarchies());

const value = (controller: string, file: string): string =>
  readFileSync(`${cgroupOf(controller)}/${file}`, "utf8").trim();

/** The contents of files by "controller file". */
const values = (files: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.keys(files).map((key) => [key, value(...(key.split(" ") as [string, string]))]));

function running(s: Scene, resources: Resources = {}): void {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    Object.assign(config.linux.resources, resources);
  });
  s.fdrunc(["run", "--detach", "c"]).succeeds();
}

const update = (s: Scene, ...flags: string[]): Result => s.fdrunc(["update", ...flags, "c"]);

/** Updates by a file of resources. */
function updateBy(s: Scene, resources: unknown): Result {
  writeFileSync(s.path("resources.json"), typeof resources === "string" ? resources : JSON.stringify(resources));
  return update(s, "--resources", s.path("resources.json"));
}

/** Flags, and what is in files of v1 then. */
const V1: [flags: string, files: Record<string, string>][] = [
  ["--memory 64m", { "memory memory.limit_in_bytes": String(64 * MIB) }],
  [
    "--memory 200M --memory-swap 300MiB --memory-reservation .5g",
    {
      "memory memory.limit_in_bytes": String(200 * MIB),
      "memory memory.memsw.limit_in_bytes": String(300 * MIB),
      "memory memory.soft_limit_in_bytes": String(512 * MIB),
    },
  ],
  [
    "--memory 20971520 --memory-swap 31457280b",
    { "memory memory.limit_in_bytes": "20971520", "memory memory.memsw.limit_in_bytes": "31457280" },
  ],
  [
    "--memory -1",
    {
      "memory memory.limit_in_bytes": "9223372036854771712",
      "memory memory.memsw.limit_in_bytes": "9223372036854771712",
    },
  ],
  [
    "--cpu-period 50000 --cpu-quota 20000 --cpu-share 100 --cpu-burst 10000",
    {
      "cpu cpu.cfs_period_us": "50000",
      "cpu cpu.cfs_quota_us": "20000",
      "cpu cpu.shares": "100",
      "cpu cpu.cfs_burst_us": "10000",
    },
  ],
  ["--cpu-period 200000", { "cpu cpu.cfs_period_us": "200000", "cpu cpu.cfs_quota_us": "20000" }],
  ["--cpu-burst 0 --cpu-quota -1", { "cpu cpu.cfs_burst_us": "0", "cpu cpu.cfs_quota_us": "-1" }],
  ["--cpu-idle 1", { "cpu cpu.idle": "1" }],
  ["--cpu-idle 0", { "cpu cpu.idle": "0" }],
  ["--cpuset-cpus 0 --cpuset-mems 0", { "cpuset cpuset.cpus": "0", "cpuset cpuset.mems": "0" }],
  ["--pids-limit 20", { "pids pids.max": "20" }],
  ["--pids-limit -1", { "pids pids.max": "max" }],
  ["--blkio-weight 300", { "blkio blkio.bfq.weight": "300" }],
];

/** Likewise for v2. */
const V2: [flags: string, files: Record<string, string>][] = [
  ["--memory 64m --memory-reservation 32m", { " memory.max": String(64 * MIB), " memory.low": String(32 * MIB) }],
  ["--cpu-period 50000 --cpu-quota 20000 --cpu-share 1024", { " cpu.max": "20000 50000", " cpu.weight": "100" }],
  ["--cpu-period 100000", { " cpu.max": "20000 100000" }],
  ["--cpu-quota 30000", { " cpu.max": "30000 100000" }],
  ["--cpu-quota -1", { " cpu.max": "max 100000" }],
  ["--cpuset-cpus 0 --cpuset-mems 0", { " cpuset.cpus": "0", " cpuset.mems": "0" }],
  ["--pids-limit 20", { " pids.max": "20" }],
  ["--pids-limit -1 --memory -1", { " pids.max": "max", " memory.max": "max" }],
];

for (const [version, table] of [
  ["v1's controllers", V1],
  ["v2 alone", V2],
] as const)
  withCgroups(`update sets limits, up and down, by flags: cgroup ${version}`, (s, t) => {
    if (unified !== (table === V2)) return t.skip(`needs cgroup ${version}`);
    running(s);
    for (const [flags, files] of table) {
      update(s, ...flags.split(" ")).succeeds();
      assert.deepEqual(values(files), files, flags);
    }
  });

withCgroups("update takes resources as JSON, from a file and from standard input; devices stay as they are", (s, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  running(s, { pids: { limit: 30 } });
  const devices = value("devices", "devices.list");
  const resources = {
    devices: [{ allow: true, access: "rwm" }],
    memory: { limit: 64 * MIB },
    cpu: { shares: 200, cpus: "0" },
    blockIO: { weight: 200 },
  };
  updateBy(s, resources).succeeds();
  const files = {
    "memory memory.limit_in_bytes": String(64 * MIB),
    "cpu cpu.shares": "200",
    "cpuset cpuset.cpus": "0",
    "pids pids.max": "30",
    "blkio blkio.bfq.weight": "200",
  };
  assert.deepEqual(values(files), files);
  assert.equal(value("devices", "devices.list"), devices);
  // Flags beside a file do not count.
  writeFileSync(s.path("in"), '{"pids":{"limit":31}}');
  const command = ["sh", "-c", `exec "$@" < ${s.path("in")}`, "sh"];
  s.fdrunc(["update", "--resources=-", "--pids-limit", "1", "c"], { under: command }).succeeds();
  assert.equal(value("pids", "pids.max"), "31");
});

withCgroups("update works on a created and on a paused container, not on a stopped one", (s) => {
  s.create().succeeds();
  update(s, "--pids-limit", "20").succeeds();
  s.fdrunc(["pause", "c"]).succeeds();
  update(s, "--pids-limit", "21").succeeds();
  assert.equal(value("pids", "pids.max"), "21");
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  assert.equal(
    update(s, "--pids-limit", "22").fails(),
    'cannot update container "c": container not running (its status is stopped)',
  );
  // systemd removes a scope's cgroup when nothing runs in it any more.
  if (!SYSTEMD) assert.equal(value("pids", "pids.max"), "21");
});

withCgroups("a limit that is refused leaves all as they were", (s) => {
  running(s, { memory: { limit: 64 * MIB }, pids: { limit: 30 } });
  const limits = () => [
    value("memory", unified ? "memory.max" : "memory.limit_in_bytes"),
    value("pids", "pids.max"),
    value("cpuset", "cpuset.cpus"),
  ];
  const before = limits();
  assert.match(
    update(s, "--memory", "128m", "--pids-limit", "40", "--cpuset-cpus", "77777").fails(),
    /^--cpuset-cpus "77777": write "77777" to ".*\/cpuset\.cpus": /,
  );
  assert.deepEqual(limits(), before);
});

/** Flags that are refused, and the beginning of the one line. */
const REFUSED: [flags: string[], error: string][] = [
  [["--memory", "100x"], '--memory "100x": invalid size'],
  [["--memory-swap=-2"], '--memory-swap "-2": invalid size'],
  [["--memory-reservation", "9e9"], '--memory-reservation "9e9": invalid size'],
  [["--memory", "64m", "--memory-swap", "32m"], '--memory-swap "32m": must be at least 67108864'],
  [["--blkio-weight", "5"], '--blkio-weight "5": must be from 10 to 1000, got 5'],
  [["--cpu-period", "-1"], '--cpu-period "-1": not a whole number'],
  [["--cpu-quota", "1.5"], '--cpu-quota "1.5": not an integer'],
  [["--cpu-quota", "1"], '--cpu-quota "1": write "1'],
  [["--cpu-idle", "2"], '--cpu-idle "2": must be from 0 to 1, got 2'],
  [["--pids-limit", "-2"], '--pids-limit "-2": must be at least -1, got -2'],
  [["--pids-limit", "many"], '--pids-limit "many": not an integer'],
  [["--cpuset-mems", "x"], '--cpuset-mems "x": write "x" to '],
  [["--resources", "/no/such/file"], 'open "/no/such/file": no such file'],
];

withCgroups("what update cannot set is refused by its flag", (s) => {
  running(s);
  for (const [flags, error] of REFUSED) {
    const line = update(s, ...flags).fails();
    assert.ok(line.startsWith(error), line);
  }
  assert.match(update(s, "--kernel-memory", "1m").stderr, /^fdrunc: warning: --kernel-memory is ignored/);
});

system("what update cannot set is refused by its path in the file", (s) => {
  running(s);
  const file = JSON.stringify(s.path("resources.json"));
  const refused: [resources: unknown, error: string][] = [
    ["{", "line 1, column 2: "],
    [[], "must be an object"],
    [{ memory: { limit: "1m" } }, "memory.limit: must be an integer "],
    [{ memory: { limit: -2 } }, "memory.limit: must be at least -1, got -2"],
    [{ unified: { "a/b": "1" } }, 'unified["a/b"]: must be a file name'],
    [{ hugepageLimits: [{ pageSize: "3KB", limit: 0 }] }, "hugepageLimits[0]: "],
  ];
  for (const [resources, error] of refused) {
    const line = updateBy(s, resources).fails();
    assert.ok(line.startsWith(`${file}: ${error}`), line);
  }
});

asRoot("update sets realtime CPU time, in cgroup v1", (s, t) => {
  running(s);
  if (unified || !existsSync(`${cgroupOf("cpu")}/cpu.rt_runtime_us`))
    return t.skip("needs a v1 kernel with realtime groups");
  update(s, "--cpu-rt-period", "500000").succeeds();
  assert.equal(value("cpu", "cpu.rt_period_us"), "500000");
  // There is none to be had where groups above have none.
  const result = update(s, "--cpu-rt-runtime", "1000");
  if (result.status === 0) assert.equal(value("cpu", "cpu.rt_runtime_us"), "1000");
  else assert.match(result.fails(), /^--cpu-rt-runtime "1000": /);
});

withCgroups("schemas of resctrl are written to the container's class of service", (s) => {
  running(s);
  // A tree that looks like resctrl, where the host may have none.
  const directory = s.path("resctrl/class");
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/schemata`, "");
  const state = `${s.state}/c/state.json`;
  const saved = JSON.parse(readFileSync(state, "utf8"));
  writeFileSync(state, JSON.stringify({ ...saved, resctrl: { root: s.path("resctrl"), directory, own: false } }));
  update(s, "--l3-cache-schema", "L3:0=f;1=ff", "--pids-limit", "20").succeeds();
  assert.equal(readFileSync(`${directory}/schemata`, "utf8"), "L3:0=f;1=ff\n");
  assert.equal(value("pids", "pids.max"), "20");
  update(s, "--mem-bw-schema", "MB:0=20;1=70").succeeds();
  assert.equal(readFileSync(`${directory}/schemata`, "utf8"), "MB:0=20;1=70\n");
  rmSync(`${directory}/schemata`);
  assert.match(
    update(s, "--mem-bw-schema", "MB:0=1").fails(),
    /^--mem-bw-schema: "MB:0=1": open ".*\/schemata": no such/,
  );
});

system("schemas need resctrl", (s, t) => {
  if (readFileSync("/proc/self/mountinfo", "utf8").includes(" - resctrl "))
    return t.skip("needs a host without resctrl");
  running(s);
  assert.match(update(s, "--l3-cache-schema", "L3:0=f").fails(), /no resctrl file system is mounted/);
});

withCgroups("checkBeforeUpdate refuses a limit below what is in use", (s, t) => {
  if (!unified) return t.skip("needs cgroup v2 alone");
  s.write((config) => {
    config.process.args = ["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=8; sleep 1000"];
    config.linux.resources.memory = { limit: 64 * MIB, checkBeforeUpdate: true };
  });
  s.fdrunc(["run", "--detach", "c"]).succeeds();
  while (Number(value("memory", "memory.current")) < 8 * MIB);
  assert.match(update(s, "--memory", "4m").fails(), /^--memory "4m": the cgroup's processes use \d+ bytes$/);
  assert.equal(value("memory", "memory.max"), String(64 * MIB));
});

const SETTINGS: Record<string, string> = {
  "memory.limit_in_bytes": "memory",
  "memory.memsw.limit_in_bytes": "memory",
  "memory.soft_limit_in_bytes": "memory",
  "cpu.cfs_period_us": "cpu",
  "cpu.cfs_quota_us": "cpu",
  "cpu.shares": "cpu",
  "cpuset.cpus": "cpuset",
  "cpuset.mems": "cpuset",
  "pids.max": "pids",
  "blkio.bfq.weight": "blkio",
  "devices.list": "devices",
};

const UPDATES = [
  "--memory 64m",
  "--memory 200M --memory-swap 300MiB",
  "--memory 20m --memory-swap 30mb --memory-reservation 10m",
  "--memory-swap -1",
  "--memory -1",
  "--memory-reservation -1",
  "--cpu-period 50000 --cpu-quota 20000 --cpu-share 100",
  "--cpu-period 100000",
  "--cpu-quota -1",
  "--cpuset-cpus 0 --cpuset-mems 0",
  "--pids-limit 20",
  "--pids-limit -1",
  "--blkio-weight 300",
];

besideRunc("update leaves the same in the cgroups' files", (pair, _, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  pair.run((config: FullConfig) => {
    config.linux.resources.memory = { limit: 128 * MIB };
  });
  const same = (what: string) => {
    for (const [file, controller] of Object.entries(SETTINGS)) {
      // runc 1.1 allows the TUN device to every container, which later versions do not.
      const [ours, theirs] = pair
        .files(controller, file)
        .map((text) => text.replace("c 10:200 rwm\n", "").split("\n").toSorted());
      assert.deepEqual(ours, theirs, `${file} after ${what}`);
    }
  };
  for (const flags of UPDATES) {
    pair.same(["update", ...flags.split(" "), "c"]);
    same(flags);
  }
  const resources = {
    memory: { limit: 64 * MIB },
    cpu: { shares: 77, quota: 5000, period: 60000 },
    pids: { limit: 9 },
  };
  pair.same(["update", "-r", "-", "c"], "", JSON.stringify(resources));
  same("resources from standard input");
  pair.same(["update", "--memory", "100x", "c"], "invalid size");
  pair.same(["update", "--memory", "4096", "c"], "emory");
  same("a limit that is refused");
  pair.same(["kill", "c", "KILL"]);
  while (pair.both(["state", "c"]).some(({ stdout }) => JSON.parse(stdout).status !== "stopped"));
  pair.same(["update", "--memory", "64m", "c"], "container not running");
});
