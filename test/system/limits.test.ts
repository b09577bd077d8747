import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import type { Resources } from "../../src/generated/config.js";
import { asRoot, cgroupOf, type Scene } from "./harness.js";

const unified = isUnified(cgroupHierarchies());

/** Creates a container with limits; what files in its cgroups, "controller file", hold then is as expected. */
function limits(s: Scene, resources: Resources, files: Record<string, string>): void {
  s.write(({ linux }) => {
    Object.assign(linux.resources, resources);
  });
  s.create().succeeds();
  const held = Object.keys(files).map((key) => {
    const [controller, file] = key.split(" ") as [string, string];
    return [key, readFileSync(`${cgroupOf(controller)}/${file}`, "utf8").trim()];
  });
  assert.deepEqual(Object.fromEntries(held), files);
  s.fdrunc(["delete", "--force", "c"]).succeeds();
}

const has = (controller: string, file: string): boolean => existsSync(`${cgroupOf(controller, "")}/${file}`);

asRoot("memory and swap in cgroup v1", (s, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  limits(
    s,
    { memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20, kernelTCP: 16 << 20, swappiness: 10 } },
    {
      "memory memory.limit_in_bytes": String(64 << 20),
      "memory memory.memsw.limit_in_bytes": String(96 << 20),
      "memory memory.soft_limit_in_bytes": String(32 << 20),
      "memory memory.kmem.tcp.limit_in_bytes": String(16 << 20),
      "memory memory.swappiness": "10",
    },
  );
  s.write(({ linux }) => {
    linux.resources.memory = { disableOOMKiller: true };
  });
  s.create().succeeds();
  assert.match(readFileSync(`${cgroupOf("memory")}/memory.oom_control`, "utf8"), /^oom_kill_disable 1$/m);
});

asRoot("CPU time in cgroup v1", (s, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  limits(
    s,
    { cpu: { shares: 512, quota: 50_000, period: 200_000, burst: 1000, cpus: "0", mems: "0" } },
    {
      "cpu cpu.shares": "512",
      "cpu cpu.cfs_quota_us": "50000",
      "cpu cpu.cfs_period_us": "200000",
      "cpu cpu.cfs_burst_us": "1000",
      "cpuset cpuset.cpus": "0",
      "cpuset cpuset.mems": "0",
    },
  );
  limits(s, { cpu: { idle: 1 } }, { "cpu cpu.idle": "1" });
  // Most machines have one node, which is the default as well.
  s.write(({ linux }) => {
    linux.resources.cpu = { mems: "1000" };
  });
  assert.match(s.create().fails(), /^linux\.resources\.cpu\.mems: /);
});

asRoot("realtime CPU time in cgroup v1", (s, t) => {
  if (unified || !has("cpu", "cpu.rt_runtime_us")) return t.skip("needs a v1 kernel with realtime groups");
  // None of it is left for new groups, so that only the period can be something else than what is there anyway.
  limits(s, { cpu: { realtimePeriod: 500_000 } }, { "cpu cpu.rt_period_us": "500000" });
  s.write(({ linux }) => {
    linux.resources.cpu = { realtimeRuntime: 1000 };
  });
  const result = s.create();
  if (result.status !== 0) assert.match(result.fails(), /^linux\.resources\.cpu\.realtimeRuntime: /);
  else assert.equal(readFileSync(`${cgroupOf("cpu")}/cpu.rt_runtime_us`, "utf8"), "1000\n");
});

/** A block device of this machine's, as "major:minor". */
const disk = (): string | undefined =>
  /^ *(\d+) +(\d+) +\d+ +\D/m.exec(readFileSync("/proc/partitions", "utf8"))?.slice(1).join(":");

asRoot("block devices in cgroup v1", (s, t) => {
  const device = disk();
  if (unified || !has("blkio", "blkio.throttle.read_bps_device") || device === undefined)
    return t.skip("needs cgroup v1's blkio, and a block device");
  const [major, minor] = device.split(":").map(Number) as [number, number];
  limits(
    s,
    {
      blockIO: {
        throttleReadBpsDevice: [{ major, minor, rate: 1_000_000 }],
        throttleWriteBpsDevice: [{ major, minor, rate: 2_000_000 }],
        throttleReadIOPSDevice: [{ major, minor, rate: 300 }],
        throttleWriteIOPSDevice: [{ major, minor, rate: 400 }],
      },
    },
    {
      "blkio blkio.throttle.read_bps_device": `${device} 1000000`,
      "blkio blkio.throttle.write_bps_device": `${device} 2000000`,
      "blkio blkio.throttle.read_iops_device": `${device} 300`,
      "blkio blkio.throttle.write_iops_device": `${device} 400`,
    },
  );
});

asRoot("shares of block devices in cgroup v1", (s, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  s.create().succeeds();
  const hasBfq = existsSync(`${cgroupOf("blkio")}/blkio.bfq.weight`);
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  if (!hasBfq) return t.skip("needs BFQ");
  limits(s, { blockIO: { weight: 300 } }, { "blkio blkio.bfq.weight": "300" });
});

asRoot("huge pages", (s, t) => {
  if (!has("hugetlb", "cgroup.procs")) return t.skip("needs a hugetlb controller");
  const isV2 = cgroupOf("hugetlb") === cgroupOf("");
  const [file, control] = isV2 ? ["hugetlb.2MB.max", "cgroup.controllers"] : ["hugetlb.2MB.limit_in_bytes", ""];
  if (isV2 && !readFileSync(`${cgroupOf("", "")}/${control}`, "utf8").includes("hugetlb"))
    return t.skip("needs a hugetlb controller");
  limits(s, { hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] }, { [`hugetlb ${file}`]: String(4 << 20) });
});
