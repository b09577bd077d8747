import type { CpuResources, MemoryResources } from "../generated/config.js";
import {
  decimal,
  rdma,
  refusal,
  type Settings,
  set,
  swappiness,
  THROTTLES,
  unlessDefault,
  unlessEmpty,
  unlessZero,
} from "./setting.js";

/** The files of cgroup v1 (Documentation/admin-guide/cgroup-v1). */
export const V1: Settings = {
  memory: ({ memory: m = {} }) => [
    set("memory.limit", "memory.limit_in_bytes", unlessZero(m.limit), unlessDefault(m.limit, -1)),
    set("memory.swap", "memory.memsw.limit_in_bytes", swap(m), unlessDefault(m.swap || -1, -1)),
    set(
      "memory.reservation",
      "memory.soft_limit_in_bytes",
      unlessZero(m.reservation),
      unlessDefault(m.reservation, -1),
    ),
    set("memory.kernel", "memory.kmem.limit_in_bytes", unlessZero(m.kernel), unlessDefault(m.kernel, -1)),
    set("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", unlessZero(m.kernelTCP), unlessDefault(m.kernelTCP, -1)),
    set("memory.swappiness", "memory.swappiness", swappiness(m)),
    set("memory.disableOOMKiller", "memory.oom_control", m.disableOOMKiller ? "1" : undefined),
    set(
      "memory.useHierarchy",
      "memory.use_hierarchy",
      m.useHierarchy === undefined ? undefined : m.useHierarchy ? "1" : "0",
    ),
  ],
  cpu: ({ cpu: c = {} }) => [
    set("cpu.realtimePeriod", "cpu.rt_period_us", unlessZero(c.realtimePeriod)),
    set("cpu.realtimeRuntime", "cpu.rt_runtime_us", unlessZero(c.realtimeRuntime)),
    set("cpu.shares", "cpu.shares", shares(c)),
    set("cpu.period", "cpu.cfs_period_us", unlessZero(c.period)),
    set("cpu.quota", "cpu.cfs_quota_us", unlessZero(c.quota), unlessDefault(c.quota, -1)),
    set("cpu.burst", "cpu.cfs_burst_us", decimal(c.burst), unlessDefault(c.burst, 0)),
    set("cpu.idle", "cpu.idle", decimal(c.idle), unlessDefault(c.idle, 0)),
  ],
  cpuset: ({ cpu: c = {} }) => [
    set("cpu.cpus", "cpuset.cpus", unlessEmpty(c.cpus)),
    set("cpu.mems", "cpuset.mems", unlessEmpty(c.mems)),
  ],
  pids: ({ pids: { limit } = {} }) => [
    set("pids.limit", "pids.max", Number(limit) < 0 ? "max" : decimal(limit), unlessDefault(limit, -1)),
  ],
  blkio: ({ blockIO: io = {} }) => [
    set("blockIO.weight", "blkio.bfq.weight", unlessZero(io.weight)),
    set("blockIO.leafWeight", "blkio.leaf_weight", unlessZero(io.leafWeight)),
    ...(io.weightDevice ?? []).flatMap(({ major, minor, weight, leafWeight }, i) => {
      const value = (number: number | undefined) => (number ? `${major}:${minor} ${number}` : undefined);
      return [
        set(`blockIO.weightDevice[${i}].weight`, "blkio.bfq.weight_device", value(weight)),
        set(`blockIO.weightDevice[${i}].leafWeight`, "blkio.leaf_weight_device", value(leafWeight)),
      ];
    }),
    ...THROTTLES.flatMap(([list, file]) =>
      (io[list] ?? []).map(({ major, minor, rate }, i) =>
        set(`blockIO.${list}[${i}]`, file, `${major}:${minor} ${rate ?? 0}`),
      ),
    ),
  ],
  // Both what can be reserved and what can be used; older kernels know the latter only.
  hugetlb: ({ hugepageLimits = [] }) =>
    hugepageLimits.flatMap(({ pageSize, limit }, i) => [
      set(`hugepageLimits[${i}]`, `hugetlb.${pageSize}.rsvd.limit_in_bytes`, decimal(limit), "nothing"),
      set(`hugepageLimits[${i}]`, `hugetlb.${pageSize}.limit_in_bytes`, decimal(limit)),
    ]),
  net_cls: ({ network: { classID } = {} }) => [set("network.classID", "net_cls.classid", unlessZero(classID))],
  net_prio: ({ network: { priorities = [] } = {} }) =>
    priorities.map(({ name, priority }, i) =>
      set(`network.priorities[${i}]`, "net_prio.ifpriomap", `${name} ${priority}`),
    ),
  rdma,
};

/** A limit on memory and swap; where the limit on memory is lifted and nothing is said of swap, that is lifted too. */
const swap = ({ limit, swap }: MemoryResources): string | undefined =>
  unlessZero(swap) ?? (Number(limit) === -1 ? "-1" : undefined);

/** The kernel would silently take the nearest value that it can do. */
function shares({ shares }: CpuResources): string | undefined {
  const text = unlessZero(shares);
  if (text !== undefined && (Number(text) < 2 || Number(text) > 262144)) {
    throw refusal("cpu.shares", `${text} is not between 2 and 262144`);
  }
  return text;
}
