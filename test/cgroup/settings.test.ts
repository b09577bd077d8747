import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Controllers, settingsFor } from "../../src/cgroup/settings.js";
import type { Resources } from "../../src/generated/config.js";
import { shared } from "../folders.js";

const ALL_V1: Controllers = {
  v1: "cpu cpuacct cpuset memory devices freezer blkio pids hugetlb net_cls net_prio rdma".split(" "),
  v2: undefined,
};
const ALL_V2: Controllers = { v1: [], v2: "cpuset cpu io memory hugetlb pids rdma".split(" ") };
const HYBRID: Controllers = { v1: "cpu cpuset memory devices pids blkio".split(" "), v2: ["hugetlb"] };

/** What is written, in order, one "property: file = text" each. */
const written = (resources: Resources, controllers: Controllers): string[] =>
  settingsFor(resources, controllers).map(({ property, file, text, otherwise, cgroup }) => {
    const instead =
      otherwise === "nothing" ? " or nothing" : otherwise ? ` or ${otherwise.file} = ${otherwise.text}` : "";
    assert.equal(cgroup, controllers === ALL_V2 ? "" : cgroup);
    return `${property}: ${file} = ${text}${instead}`;
  });

/** Resources, and what v1 and v2 make of each: the lines written, or the error. */
const CASES: [name: string, Resources, v1: string[] | RegExp, v2: string[] | RegExp][] = [
  [
    "memory, swap and reservation",
    { memory: { limit: 67108864, swap: 134217728, reservation: 33554432 } },
    [
      "memory.limit: memory.limit_in_bytes = 67108864",
      "memory.swap: memory.memsw.limit_in_bytes = 134217728",
      "memory.reservation: memory.soft_limit_in_bytes = 33554432",
    ],
    [
      "memory.swap: memory.swap.max = 67108864",
      "memory.limit: memory.max = 67108864",
      "memory.reservation: memory.low = 33554432",
    ],
  ],
  [
    "no swap beside the memory",
    { memory: { limit: 67108864, swap: 67108864 } },
    ["memory.limit: memory.limit_in_bytes = 67108864", "memory.swap: memory.memsw.limit_in_bytes = 67108864"],
    ["memory.swap: memory.swap.max = 0 or nothing", "memory.limit: memory.max = 67108864"],
  ],
  [
    "unlimited swap",
    { memory: { limit: 67108864, swap: -1 } },
    ["memory.limit: memory.limit_in_bytes = 67108864", "memory.swap: memory.memsw.limit_in_bytes = -1 or nothing"],
    ["memory.swap: memory.swap.max = max or nothing", "memory.limit: memory.max = 67108864"],
  ],
  [
    "unlimited memory lifts the limit on swap",
    { memory: { limit: -1 } },
    ["memory.limit: memory.limit_in_bytes = -1 or nothing", "memory.swap: memory.memsw.limit_in_bytes = -1 or nothing"],
    ["memory.swap: memory.swap.max = max or nothing", "memory.limit: memory.max = max or nothing"],
  ],
  [
    "64-bit numbers keep their digits",
    { memory: { limit: 9007199254740993n, swap: 9223372036854771712n } },
    [
      "memory.limit: memory.limit_in_bytes = 9007199254740993",
      "memory.swap: memory.memsw.limit_in_bytes = 9223372036854771712",
    ],
    ["memory.swap: memory.swap.max = 9214364837600030719", "memory.limit: memory.max = 9007199254740993"],
  ],
  [
    "swap less than memory",
    { memory: { limit: 200, swap: 100 } },
    ["memory.limit: memory.limit_in_bytes = 200", "memory.swap: memory.memsw.limit_in_bytes = 100"],
    /^linux\.resources\.memory\.swap: is less than memory\.limit/,
  ],
  [
    "swap without memory",
    { memory: { swap: 100 } },
    ["memory.swap: memory.memsw.limit_in_bytes = 100"],
    /^linux\.resources\.memory\.swap: needs memory\.limit/,
  ],
  [
    "what memory had in v1 only",
    { memory: { kernel: 1048576 } },
    ["memory.kernel: memory.kmem.limit_in_bytes = 1048576"],
    /^linux\.resources\.memory\.kernel: has no equivalent in cgroup v2$/,
  ],
  [
    "kernelTCP",
    { memory: { kernelTCP: 1048576 } },
    ["memory.kernelTCP: memory.kmem.tcp.limit_in_bytes = 1048576"],
    /^linux\.resources\.memory\.kernelTCP: has no equivalent/,
  ],
  [
    "swappiness",
    { memory: { swappiness: 0 } },
    ["memory.swappiness: memory.swappiness = 0"],
    /^linux\.resources\.memory\.swappiness: has no equivalent/,
  ],
  ["swappiness -1 as an unsigned number is unset", { memory: { swappiness: 18446744073709551615n } }, [], []],
  [
    "disableOOMKiller",
    { memory: { disableOOMKiller: true } },
    ["memory.disableOOMKiller: memory.oom_control = 1"],
    /^linux\.resources\.memory\.disableOOMKiller: has no equivalent/,
  ],
  ["useHierarchy", { memory: { useHierarchy: true } }, ["memory.useHierarchy: memory.use_hierarchy = 1"], []],
  [
    "no hierarchy",
    { memory: { useHierarchy: false } },
    ["memory.useHierarchy: memory.use_hierarchy = 0"],
    /^linux\.resources\.memory\.useHierarchy: has no equivalent/,
  ],
  [
    "CPU",
    { cpu: { shares: 1024, quota: 50000, period: 100000, burst: 1000, idle: 0, cpus: "0-1", mems: "0" } },
    [
      "cpu.shares: cpu.shares = 1024",
      "cpu.period: cpu.cfs_period_us = 100000",
      "cpu.quota: cpu.cfs_quota_us = 50000",
      "cpu.burst: cpu.cfs_burst_us = 1000",
      "cpu.idle: cpu.idle = 0 or nothing",
      "cpu.cpus: cpuset.cpus = 0-1",
      "cpu.mems: cpuset.mems = 0",
    ],
    [
      "cpu.shares: cpu.weight = 100",
      "cpu.quota: cpu.max = 50000 100000",
      "cpu.burst: cpu.max.burst = 1000",
      "cpu.idle: cpu.idle = 0 or nothing",
      "cpu.cpus: cpuset.cpus = 0-1",
      "cpu.mems: cpuset.mems = 0",
    ],
  ],
  ["a quota alone", { cpu: { quota: 50000 } }, ["cpu.quota: cpu.cfs_quota_us = 50000"], ["cpu.quota: cpu.max = 50000"]],
  [
    "a period alone",
    { cpu: { period: 50000 } },
    ["cpu.period: cpu.cfs_period_us = 50000"],
    ["cpu.period: cpu.max = max 50000"],
  ],
  [
    "no quota",
    { cpu: { quota: -1 } },
    ["cpu.quota: cpu.cfs_quota_us = -1 or nothing"],
    ["cpu.quota: cpu.max = max or nothing"],
  ],
  [
    "realtime",
    { cpu: { realtimePeriod: 1000000, realtimeRuntime: 1000 } },
    ["cpu.realtimePeriod: cpu.rt_period_us = 1000000", "cpu.realtimeRuntime: cpu.rt_runtime_us = 1000"],
    /^linux\.resources\.cpu\.realtimePeriod: has no equivalent/,
  ],
  [
    "a share that v1 would change",
    { cpu: { shares: 1 } },
    /cpu\.shares: 1 is not between 2 and 262144$/,
    ["cpu.shares: cpu.weight = 1"],
  ],
  ["processes", { pids: { limit: 2048 } }, ["pids.limit: pids.max = 2048"], ["pids.limit: pids.max = 2048"]],
  [
    "any number of processes",
    { pids: { limit: -1 } },
    ["pids.limit: pids.max = max or nothing"],
    ["pids.limit: pids.max = max or nothing"],
  ],
  ["no process beside the first", { pids: { limit: 0 } }, ["pids.limit: pids.max = 0"], ["pids.limit: pids.max = 1"]],
  [
    "block devices",
    {
      blockIO: {
        weight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 10 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 0 }],
        throttleReadIOPSDevice: [
          { major: 8, minor: 0, rate: 100 },
          { major: 8, minor: 16, rate: 18446744073709551615n },
        ],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 200 }],
      },
    },
    [
      "blockIO.weight: blkio.bfq.weight = 500",
      "blockIO.weightDevice[0].weight: blkio.bfq.weight_device = 8:0 10",
      "blockIO.throttleReadBpsDevice[0]: blkio.throttle.read_bps_device = 8:0 1048576",
      "blockIO.throttleWriteBpsDevice[0]: blkio.throttle.write_bps_device = 8:0 0",
      "blockIO.throttleReadIOPSDevice[0]: blkio.throttle.read_iops_device = 8:0 100",
      "blockIO.throttleReadIOPSDevice[1]: blkio.throttle.read_iops_device = 8:16 18446744073709551615",
      "blockIO.throttleWriteIOPSDevice[0]: blkio.throttle.write_iops_device = 8:0 200",
    ],
    [
      "blockIO.weight: io.bfq.weight = 500 or io.weight = 4950",
      "blockIO.weightDevice[0].weight: io.bfq.weight = 8:0 10 or io.weight = 8:0 1",
      "blockIO.throttleReadBpsDevice[0]: io.max = 8:0 rbps=1048576",
      "blockIO.throttleWriteBpsDevice[0]: io.max = 8:0 wbps=max",
      "blockIO.throttleReadIOPSDevice[0]: io.max = 8:0 riops=100",
      "blockIO.throttleReadIOPSDevice[1]: io.max = 8:16 riops=18446744073709551615",
      "blockIO.throttleWriteIOPSDevice[0]: io.max = 8:0 wiops=200",
    ],
  ],
  [
    "leaf weights",
    { blockIO: { leafWeight: 10, weightDevice: [{ major: 8, minor: 0, leafWeight: 20 }] } },
    [
      "blockIO.leafWeight: blkio.leaf_weight = 10",
      "blockIO.weightDevice[0].leafWeight: blkio.leaf_weight_device = 8:0 20",
    ],
    /^linux\.resources\.blockIO\.leafWeight: has no equivalent/,
  ],
  [
    "huge pages",
    {
      hugepageLimits: [
        { pageSize: "2MB", limit: 0 },
        { pageSize: "1GB", limit: 1073741824 },
      ],
    },
    [
      "hugepageLimits[0]: hugetlb.2MB.rsvd.limit_in_bytes = 0 or nothing",
      "hugepageLimits[0]: hugetlb.2MB.limit_in_bytes = 0",
      "hugepageLimits[1]: hugetlb.1GB.rsvd.limit_in_bytes = 1073741824 or nothing",
      "hugepageLimits[1]: hugetlb.1GB.limit_in_bytes = 1073741824",
    ],
    [
      "hugepageLimits[0]: hugetlb.2MB.rsvd.max = 0 or nothing",
      "hugepageLimits[0]: hugetlb.2MB.max = 0",
      "hugepageLimits[1]: hugetlb.1GB.rsvd.max = 1073741824 or nothing",
      "hugepageLimits[1]: hugetlb.1GB.max = 1073741824",
    ],
  ],
  [
    "a page size that is a path",
    { hugepageLimits: [{ pageSize: "/../..", limit: 1 }] },
    /^linux\.resources\.hugepageLimits\[0\]: "hugetlb\.\/\.\.\/\.\..*" is not the name of a cgroup file$/,
    /is not the name of a cgroup file$/,
  ],
  [
    "network class",
    { network: { classID: 1048577 } },
    ["network.classID: net_cls.classid = 1048577"],
    /^linux\.resources\.network\.classID: has no equivalent/,
  ],
  [
    "network priorities",
    { network: { priorities: [{ name: "eth0", priority: 5 }] } },
    ["network.priorities[0]: net_prio.ifpriomap = eth0 5"],
    /^linux\.resources\.network\.priorities: has no equivalent/,
  ],
  [
    "RDMA",
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10 }, "mlx4-0": { hcaObjects: 1 } } },
    ["rdma.mlx5_1: rdma.max = mlx5_1 hca_handle=3 hca_object=10", 'rdma["mlx4-0"]: rdma.max = mlx4-0 hca_object=1'],
    ["rdma.mlx5_1: rdma.max = mlx5_1 hca_handle=3 hca_object=10", 'rdma["mlx4-0"]: rdma.max = mlx4-0 hca_object=1'],
  ],
  [
    "v2 files as they are",
    { unified: { "memory.high": "1G", "io.max": "8:0 rbps=1\n8:16 rbps=2\n", "cgroup.max.depth": "3" } },
    /^linux\.resources\.unified\["memory\.high"\]: there is no cgroup controller "memory" here$/,
    [
      'unified["memory.high"]: memory.high = 1G',
      'unified["io.max"]: io.max = 8:0 rbps=1',
      'unified["io.max"]: io.max = 8:16 rbps=2',
      'unified["cgroup.max.depth"]: cgroup.max.depth = 3',
    ],
  ],
  [
    "zeroes, as engines write them for unset",
    {
      memory: { limit: 0, swap: 0, reservation: 0, kernel: 0, kernelTCP: 0, disableOOMKiller: false },
      cpu: { shares: 0, quota: 0, period: 0, realtimePeriod: 0, realtimeRuntime: 0, cpus: "", mems: "" },
      blockIO: { weight: 0, leafWeight: 0, weightDevice: [], throttleReadBpsDevice: [] },
      network: { classID: 0, priorities: [] },
      hugepageLimits: [],
      unified: {},
    },
    [],
    [],
  ],
];

for (const [name, resources, v1, v2] of CASES) {
  test(`resources: ${name}`, () => {
    for (const [controllers, expected] of [
      [ALL_V1, v1],
      [ALL_V2, v2],
    ] as const) {
      if (Array.isArray(expected)) assert.deepEqual(written(resources, controllers), expected);
      else assert.throws(() => settingsFor(resources, controllers), { name: "Failure", message: expected as RegExp });
    }
  });
}

test("weights of block I/O become those of v2 as 1 + (weight - 10) * 9999 / 990", () => {
  const weights = [10, 11, 100, 500, 999, 1000].map((weight) => {
    const [{ text, otherwise }] = settingsFor({ blockIO: { weight } }, ALL_V2);
    return [text, typeof otherwise === "object" && otherwise.text];
  });
  assert.deepEqual(weights, [
    ["10", "1"],
    ["11", "11"],
    ["100", "910"],
    ["500", "4950"],
    ["999", "9989"],
    ["1000", "10000"],
  ]);
});

test("CPU shares become weights along the usual curve", () => {
  const weights = [1, 2, 10, 100, 512, 1024, 2048, 262144, 1000000].map(
    (shares) => settingsFor({ cpu: { shares } }, ALL_V2)[0].text,
  );
  assert.deepEqual(weights, ["1", "1", "4", "17", "59", "100", "174", "10000", "10000"]);
});

test("each controller is taken where the host has it", () => {
  const placed = settingsFor({ memory: { limit: 1 }, hugepageLimits: [{ pageSize: "2MB", limit: 0 }] }, HYBRID);
  assert.deepEqual(
    placed.map(({ cgroup, file }) => [cgroup, file]),
    [
      ["memory", "memory.limit_in_bytes"],
      ["", "hugetlb.2MB.rsvd.max"],
      ["", "hugetlb.2MB.max"],
    ],
  );
  assert.deepEqual(
    settingsFor({ unified: { "hugetlb.2MB.max": "0", "cgroup.freeze": "0" } }, HYBRID).map(({ cgroup }) => cgroup),
    ["", ""],
  );
});

test("a resource without a controller is refused by name, one that limits nothing is not", () => {
  assert.throws(() => settingsFor({ network: { classID: 1 } }, HYBRID), {
    message: 'linux.resources.network.classID: there is no cgroup controller "net_cls" here',
  });
  assert.throws(() => settingsFor({ unified: { "memory.max": "1" } }, HYBRID), {
    message: 'linux.resources.unified["memory.max"]: there is no cgroup controller "memory" here',
  });
  assert.throws(() => settingsFor({ memory: { limit: 1 } }, { v1: [], v2: undefined }), {
    message: 'linux.resources.memory.limit: there is no cgroup controller "memory" here',
  });
  assert.deepEqual(settingsFor({ memory: { limit: -1 }, pids: { limit: -1 } }, { v1: ["cpu"], v2: undefined }), []);
});

test("what engines write can be had in both versions", (t) => {
  const configs = shared("engine-configs");
  if (configs === undefined) return t.skip("needs the engines' configurations beside the repository");
  let count = 0;
  for (const name of readdirSync(configs).filter((file) => file.endsWith(".json"))) {
    const resources: Resources | undefined = JSON.parse(readFileSync(configs + name, "utf8")).linux?.resources;
    if (resources === undefined) continue;
    count++;
    settingsFor(resources, ALL_V1);
    settingsFor(resources, ALL_V2);
  }
  assert.ok(count >= 8);
});
