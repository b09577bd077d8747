import {
  byDevice,
  type Count,
  count,
  counts,
  type DeviceCount,
  hugePageSizes,
  pids as limitedPids,
  type Read,
  type StatsReader,
  UNLIMITED,
  unlessZero,
  usage,
} from "./counters.js";

const nanoseconds = (microseconds: Count = 0): Count => count(String(BigInt(microseconds) * 1000n));

const cpu: StatsReader = (read) => {
  const stat = counts(read("cpu.stat"));
  return {
    usage: {
      ...unlessZero({ total: nanoseconds(stat.usage_usec) }),
      kernel: nanoseconds(stat.system_usec),
      user: nanoseconds(stat.user_usec),
    },
    throttling: unlessZero({
      periods: stat.nr_periods ?? 0,
      throttledPeriods: stat.nr_throttled ?? 0,
      throttledTime: nanoseconds(stat.throttled_usec),
    }),
    ...pressure(read, "cpu"),
  };
};

/** How long tasks waited for something (Documentation/accounting/psi.rst); nothing where the kernel does not tell. */
function pressure(read: Read, file: string): { psi?: object } {
  const lines = read(`${file}.pressure`).split("\n").filter(Boolean);
  if (lines.length === 0) return {};
  const of = (kind: string) => {
    const fields =
      lines
        .find((line) => line.startsWith(`${kind} `))
        ?.split(" ")
        .slice(1) ?? [];
    const given = Object.fromEntries(
      fields.map((field) => field.split("=")).map(([key, value]) => [key, Number(value)]),
    );
    return { avg10: 0, avg60: 0, avg300: 0, total: 0, ...given };
  };
  return { psi: { some: of("some"), full: of("full") } };
}

/** v2 has none of this; runc tells it all the same. */
const cpuset: StatsReader = () => ({
  cpu_exclusive: 0,
  mem_hardwall: 0,
  mem_exclusive: 0,
  memory_migrate: 0,
  memory_spread_page: 0,
  memory_spread_slab: 0,
  memory_pressure: 0,
  sched_load_balance: 0,
  sched_relax_domain_level: 0,
});

const memory: StatsReader = (read) => {
  const raw = counts(read("memory.stat"));
  const [limit, used, swapLimit, swap] = ["max", "current", "swap.max", "swap.current"].map((file) =>
    count(read(`memory.${file}`)),
  );
  const none = usage(0, 0, 0, 0);
  return {
    ...unlessZero({ cache: raw.file ?? 0 }),
    usage: usage(limit, used, count(read("memory.peak")), 0),
    // As v1 counts: memory and swap together.
    swap: usage(sum(limit, swapLimit), sum(used, swap), 0, 0),
    kernel: none,
    kernelTCP: none,
    ...(Object.keys(raw).length > 0 && { raw }),
    ...pressure(read, "memory"),
  };
};

const sum = (a: Count, b: Count): Count =>
  a === UNLIMITED || b === UNLIMITED ? UNLIMITED : count(String(BigInt(a) + BigInt(b)));

/** Without its controller, what is in the cgroup itself is counted. */
const pids: StatsReader = (read) =>
  read("pids.current") !== ""
    ? limitedPids(read)
    : unlessZero({ current: read("cgroup.procs").split("\n").filter(Boolean).length });

/** The keys of io.stat that v1 knows, and how it names them. */
const IO: Record<string, readonly [member: string, op: string]> = {
  rbytes: ["ioServiceBytesRecursive", "Read"],
  wbytes: ["ioServiceBytesRecursive", "Write"],
  rios: ["ioServicedRecursive", "Read"],
  wios: ["ioServicedRecursive", "Write"],
};

const blkio: StatsReader = (read) => {
  const found: Record<string, DeviceCount[]> = { ioServiceBytesRecursive: [], ioServicedRecursive: [] };
  for (const line of read("io.stat").split("\n")) {
    const [device, ...fields] = line.split(" ");
    for (const [key, value] of fields.map((field) => field.split("="))) {
      const [member, op] = IO[key] ?? [];
      if (member !== undefined && op !== undefined) found[member].push({ device, op, value: count(value) });
    }
  }
  const told = Object.entries(found).map(([member, entries]) => [member, byDevice(entries)]);
  return { ...unlessZero(Object.fromEntries(told)), ...pressure(read, "io") };
};

const hugetlb: StatsReader = (read) =>
  Object.fromEntries(
    hugePageSizes()
      .filter((size) => read(`hugetlb.${size}.current`) !== "")
      .map((size) => {
        const used = count(read(`hugetlb.${size}.current`));
        return [size, { ...unlessZero({ usage: used }), failcnt: counts(read(`hugetlb.${size}.events`)).max ?? 0 }];
      }),
  );

/** The statistics of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), told as those of v1. */
export const statsV2 = { cpu, cpuset, memory, pids, blkio, hugetlb };
