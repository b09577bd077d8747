import {
  byDevice,
  count,
  counts,
  type DeviceCount,
  hugePageSizes,
  pids,
  type Read,
  type StatsReader,
  unlessZero,
  usage,
} from "./counters.js";

/** A clock tick of cpuacct.stat, in nanoseconds. */
const TICK = 10_000_000;

const cpu: StatsReader = (cpu, cpuacct) => {
  const { user = 0, system = 0 } = counts(cpuacct("cpuacct.stat"));
  const perCpu = cpuacct("cpuacct.usage_all")
    .split("\n")
    .slice(1)
    .map((line) => line.split(" "));
  const { nr_periods = 0, nr_throttled = 0, throttled_time = 0 } = counts(cpu("cpu.stat"));
  return {
    usage: {
      ...unlessZero({
        total: count(cpuacct("cpuacct.usage")),
        percpu: cpuacct("cpuacct.usage_percpu").split(" ").filter(Boolean).map(count),
        percpu_kernel: perCpu.map(([, , system]) => count(system)),
        percpu_user: perCpu.map(([, user]) => count(user)),
      }),
      kernel: Number(system) * TICK,
      user: Number(user) * TICK,
    },
    throttling: unlessZero({
      periods: nr_periods,
      throttledPeriods: nr_throttled,
      throttledTime: throttled_time,
    }),
  };
};

/** The numbers of a list like "0-2,7". */
export const expandList = (list: string): number[] =>
  list
    .split(",")
    .filter(Boolean)
    .flatMap((part) => {
      const [first, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });

const FLAGS = [
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
  "sched_relax_domain_level",
];

const cpuset: StatsReader = (read) => ({
  ...unlessZero({ cpus: expandList(read("cpuset.cpus")) }),
  cpu_exclusive: count(read("cpuset.cpu_exclusive")),
  ...unlessZero({ mems: expandList(read("cpuset.mems")) }),
  ...Object.fromEntries(FLAGS.map((flag) => [flag, count(read(`cpuset.${flag}`))])),
});

const memory: StatsReader = (read) => {
  const raw = counts(read("memory.stat"));
  const kind = (name: string) => {
    const [limit, used, max, failures] = ["limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"].map(
      (file) => count(read(`${name}.${file}`)),
    );
    return usage(limit, used, max, failures);
  };
  return {
    ...unlessZero({ cache: raw.cache ?? 0 }),
    usage: kind("memory"),
    swap: kind("memory.memsw"),
    kernel: kind("memory.kmem"),
    kernelTCP: kind("memory.kmem.tcp"),
    ...(Object.keys(raw).length > 0 && { raw }),
  };
};

/** What block devices are counted by: the member that tells it, and the end of the file's name. */
const KINDS = [
  ["sectorsRecursive", "sectors"],
  ["ioServiceTimeRecursive", "io_service_time"],
  ["ioWaitTimeRecursive", "io_wait_time"],
  ["ioMergedRecursive", "io_merged"],
  ["ioQueueRecursive", "io_queued"],
  ["ioTimeRecursive", "time"],
  ["ioServicedRecursive", "io_serviced"],
  ["ioServiceBytesRecursive", "io_service_bytes"],
] as const;

/** The families of files, the first that counts anything tells: which depends on the scheduler and the kernel. */
const FAMILIES = [
  { before: "blkio.bfq.", after: "_recursive", kinds: KINDS },
  { before: "blkio.bfq.", after: "_recursive", kinds: KINDS.slice(-2) },
  { before: "blkio.", after: "_recursive", kinds: KINDS },
  { before: "blkio.throttle.", after: "_recursive", kinds: KINDS.slice(-2) },
  { before: "blkio.throttle.", after: "", kinds: KINDS.slice(-2) },
];

const blkio: StatsReader = (read) => {
  for (const { before, after, kinds } of FAMILIES) {
    const counted = kinds.map(([member, name]) => [member, deviceCounts(read, `${before}${name}${after}`)] as const);
    if (counted[0][1].length > 0) return unlessZero(Object.fromEntries(counted.map(([m, c]) => [m, byDevice(c)])));
  }
  return {};
};

/** The lines "8:0 Read 1282048" and "8:0 6792" of a file; those that sum up all devices are left out. */
function deviceCounts(read: Read, file: string): DeviceCount[] {
  const lines = read(file).split("\n");
  return lines.flatMap((line) => {
    const [, device, op = "", value] = /^(\d+:\d+)(?: (\w+))? (\d+)$/.exec(line) ?? [];
    return device === undefined ? [] : [{ device, op, value: count(value) }];
  });
}

const hugetlb: StatsReader = (read) =>
  Object.fromEntries(
    hugePageSizes()
      .filter((size) => read(`hugetlb.${size}.usage_in_bytes`) !== "")
      .map((size) => {
        const [used, max, failcnt] = ["usage_in_bytes", "max_usage_in_bytes", "failcnt"].map((file) =>
          count(read(`hugetlb.${size}.${file}`)),
        );
        return [size, { ...unlessZero({ usage: used, max }), failcnt }];
      }),
  );

/** The statistics of cgroup v1 (Documentation/admin-guide/cgroup-v1). */
export const statsV1 = { cpu, cpuset, memory, pids, blkio, hugetlb };
