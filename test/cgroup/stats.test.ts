import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hugePageSizes } from "../../src/cgroup/counters.js";
import { watchOom } from "../../src/cgroup/oom-watch.js";
import { readStats } from "../../src/cgroup/stats.js";
import { pollReadable } from "../../src/linux/process.js";

/** A directory that looks like a cgroup's. */
function fake(t: TestContext, files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return directory;
}

const MAX = 18446744073709551615n;
const NONE = { limit: 0, failcnt: 0 };

test("v1: what is used, by the names that runc tells it by", (t) => {
  const directory = fake(t, {
    "cpuacct.usage": "11563908\n",
    "cpuacct.usage_percpu": "10544196 1019712 \n",
    "cpuacct.usage_all": "cpu user system\n0 5 12000000\n1 0 7\n",
    "cpuacct.stat": "user 3\nsystem 2\n",
    "cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time 345\n",
    "cpuset.cpus": "0-2,7\n",
    "cpuset.mems": "0\n",
    "cpuset.cpu_exclusive": "0\n",
    "cpuset.sched_load_balance": "1\n",
    "cpuset.sched_relax_domain_level": "-1\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.usage_in_bytes": "983040\n",
    "memory.max_usage_in_bytes": "2523136\n",
    "memory.failcnt": "4\n",
    "memory.memsw.limit_in_bytes": "4096\n",
    "memory.kmem.usage_in_bytes": "659456\n",
    "memory.stat": "cache 8192\nrss 0\nhierarchical_memory_limit 9223372036854771712\n",
    "pids.current": "2\n",
    "pids.max": "17\n",
  });
  const paths = Object.fromEntries(["cpu", "cpuacct", "cpuset", "memory", "pids"].map((name) => [name, directory]));
  const limit = 9223372036854771712n;
  assert.deepEqual(readStats(paths), {
    cpu: {
      usage: {
        total: 11563908,
        percpu: [10544196, 1019712],
        percpu_kernel: [12000000, 7],
        percpu_user: [5, 0],
        kernel: 20000000,
        user: 30000000,
      },
      throttling: { periods: 10, throttledPeriods: 2, throttledTime: 345 },
    },
    cpuset: {
      cpus: [0, 1, 2, 7],
      cpu_exclusive: 0,
      mems: [0],
      mem_hardwall: 0,
      mem_exclusive: 0,
      memory_migrate: 0,
      memory_spread_page: 0,
      memory_spread_slab: 0,
      memory_pressure: 0,
      sched_load_balance: 1,
      sched_relax_domain_level: -1,
    },
    memory: {
      cache: 8192,
      usage: { limit, usage: 983040, max: 2523136, failcnt: 4 },
      swap: { limit: 4096, failcnt: 0 },
      kernel: { limit: 0, usage: 659456, failcnt: 0 },
      kernelTCP: NONE,
      raw: { cache: 8192, rss: 0, hierarchical_memory_limit: limit },
    },
    pids: { current: 2, limit: 17 },
    blkio: {},
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  });
});

test("v1: block devices are told by the first family of files that counts any", (t) => {
  const throttle = {
    "blkio.throttle.io_serviced_recursive": "8:0 Read 124\n8:0 Total 124\nTotal 124\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 1282048\nTotal 1282048\n",
    "blkio.bfq.io_serviced_recursive": "Total 0\n",
  };
  const read = (files: Record<string, string>) => readStats({ blkio: fake(t, files) }).blkio;
  assert.deepEqual(read(throttle), {
    ioServicedRecursive: [
      { major: 8, op: "Read", value: 124 },
      { major: 8, op: "Total", value: 124 },
    ],
    ioServiceBytesRecursive: [{ major: 8, op: "Read", value: 1282048 }],
  });
  const bfq = { "blkio.bfq.sectors_recursive": "259:1 6792\n", "blkio.bfq.io_queued_recursive": "259:1 Read 0\n" };
  assert.deepEqual(read({ ...throttle, ...bfq }), {
    sectorsRecursive: [{ major: 259, minor: 1, value: 6792 }],
    ioQueueRecursive: [{ major: 259, minor: 1, op: "Read" }],
  });
  assert.deepEqual(read({}), {});
});

test("v2: what is used, by the names and in the units of v1", (t) => {
  const directory = fake(t, {
    "cpu.stat": "usage_usec 7\nuser_usec 5\nsystem_usec 2\nnr_periods 4\nnr_throttled 1\nthrottled_usec 9\n",
    "cpu.pressure": "some avg10=0.50 avg60=1.25 avg300=0.00 total=77\n",
    "memory.current": "1000\n",
    "memory.max": "5000\n",
    "memory.peak": "2000\n",
    "memory.swap.current": "10\n",
    "memory.swap.max": "max\n",
    "memory.stat": "anon 3\nfile 4\n",
    "pids.current": "2\n",
    "pids.max": "max\n",
    "io.stat": "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n252:0 \n",
  });
  const { cpu, memory, pids, blkio, hugetlb, cpuset } = readStats({ "": directory });
  assert.deepEqual(cpu, {
    usage: { total: 7000, kernel: 2000, user: 5000 },
    throttling: { periods: 4, throttledPeriods: 1, throttledTime: 9000 },
    psi: {
      some: { avg10: 0.5, avg60: 1.25, avg300: 0, total: 77 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 0 },
    },
  });
  assert.deepEqual(memory, {
    cache: 4,
    usage: { limit: 5000, usage: 1000, max: 2000, failcnt: 0 },
    swap: { limit: MAX, usage: 1010, failcnt: 0 },
    kernel: NONE,
    kernelTCP: NONE,
    raw: { anon: 3, file: 4 },
  });
  assert.deepEqual(pids, { current: 2 });
  assert.deepEqual(blkio, {
    ioServiceBytesRecursive: [
      { major: 8, minor: 16, op: "Read", value: 1459200 },
      { major: 8, minor: 16, op: "Write", value: 314773504 },
    ],
    ioServicedRecursive: [
      { major: 8, minor: 16, op: "Read", value: 192 },
      { major: 8, minor: 16, op: "Write", value: 353 },
    ],
  });
  assert.deepEqual(hugetlb, {});
  assert.equal(Object.keys(cpuset as object).length, 9);
});

test("v2 without controllers: processes are counted, the rest is zero", (t) => {
  const stats = readStats({ "": fake(t, { "cgroup.procs": "1\n2\n3\n" }) });
  assert.deepEqual(stats.pids, { current: 3 });
  assert.deepEqual(stats.memory, { usage: NONE, swap: NONE, kernel: NONE, kernelTCP: NONE });
});

test("huge pages are told by size, in both versions and where both are in use", (t) => {
  const [size] = hugePageSizes();
  if (size === undefined) return t.skip("needs huge pages");
  assert.match(size, /^\d+[KMGT]B$/);
  const v1 = fake(t, { [`hugetlb.${size}.usage_in_bytes`]: "4\n", [`hugetlb.${size}.max_usage_in_bytes`]: "8\n" });
  assert.deepEqual(readStats({ hugetlb: v1 }).hugetlb, { [size]: { usage: 4, max: 8, failcnt: 0 } });
  const v2 = fake(t, { [`hugetlb.${size}.current`]: "0\n", [`hugetlb.${size}.events`]: "max 3\n", "pids.max": "1\n" });
  const stats = readStats({ "": v2, pids: fake(t, { "pids.current": "1\n" }) });
  assert.deepEqual([stats.hugetlb, stats.pids], [{ [size]: { failcnt: 3 } }, { current: 1 }]);
});

test("v2: a kill for want of memory is told once", (t) => {
  const directory = fake(t, { "memory.events": "low 0\noom 0\noom_kill 1\n" });
  const watch = watchOom({ "": directory });
  t.after(() => watch.close());
  assert.equal(watch.take(), 0);
  assert.deepEqual(pollReadable([watch.fd], 0), []);
  writeFileSync(join(directory, "memory.events"), "low 0\noom 3\noom_kill 3\n");
  assert.deepEqual(pollReadable([watch.fd], 10_000), [watch.fd]);
  assert.equal(watch.take(), 2);
  assert.equal(watch.take(), 0);
  rmSync(join(directory, "memory.events"));
  assert.equal(watch.take(), 0);
});

test("a container whose memory is not counted cannot be watched", (t) => {
  const directory = fake(t, {});
  mkdirSync(join(directory, "v2"));
  for (const paths of [{}, { "": join(directory, "v2") }] as Record<string, string>[])
    assert.throws(() => watchOom(paths), {
      message: 'watch the container\'s memory: there is no cgroup controller "memory" for it (--stats does without)',
    });
});
