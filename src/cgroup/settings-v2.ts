import type { CpuResources, MemoryResources } from "../generated/config.js";
import {
  decimal,
  rdma,
  refusal,
  type Setting,
  type Settings,
  set,
  swappiness,
  THROTTLES,
  unlessDefault,
  unlessEmpty,
  unlessZero,
} from "./setting.js";

/** The files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
export const V2: Settings = {
  memory: ({ memory: m = {} }) => {
    none("memory.kernel", Number(m.kernel) > 0);
    none("memory.kernelTCP", Number(m.kernelTCP) > 0);
    none("memory.swappiness", swappiness(m) !== undefined);
    none("memory.disableOOMKiller", m.disableOOMKiller === true);
    none("memory.useHierarchy", m.useHierarchy === false);
    const swapMax = swap(m);
    return [
      // A kernel without swap has no such file, and nothing to allow or to forbid.
      set("memory.swap", "memory.swap.max", swapMax, swapMax === "max" || swapMax === "0" ? "nothing" : undefined),
      set("memory.limit", "memory.max", limit(m.limit), unlessDefault(m.limit, -1)),
      set("memory.reservation", "memory.low", limit(m.reservation), unlessDefault(m.reservation, -1)),
    ];
  },
  cpu: ({ cpu: c = {} }) => {
    none("cpu.realtimePeriod", Number(c.realtimePeriod) > 0);
    none("cpu.realtimeRuntime", Number(c.realtimeRuntime) > 0);
    return [
      set("cpu.shares", "cpu.weight", weightOfShares(c)),
      bandwidth(c),
      set("cpu.burst", "cpu.max.burst", decimal(c.burst), unlessDefault(c.burst, 0)),
      set("cpu.idle", "cpu.idle", decimal(c.idle), unlessDefault(c.idle, 0)),
    ];
  },
  cpuset: ({ cpu: c = {} }) => [
    set("cpu.cpus", "cpuset.cpus", unlessEmpty(c.cpus)),
    set("cpu.mems", "cpuset.mems", unlessEmpty(c.mems)),
  ],
  pids: ({ pids: { limit: value } = {} }) => {
    // A process that is cloned into the cgroup counts before it is there: with 0 there could not be a first one.
    const text = Number(value) === 0 ? "1" : Number(value) < 0 ? "max" : decimal(value);
    return [set("pids.limit", "pids.max", text, unlessDefault(value, -1))];
  },
  blkio: ({ blockIO: io = {} }) => {
    none("blockIO.leafWeight", Number(io.leafWeight) > 0);
    return [
      ...weight("blockIO.weight", "", io.weight),
      ...(io.weightDevice ?? []).flatMap((device, i) => {
        const property = `blockIO.weightDevice[${i}]`;
        none(`${property}.leafWeight`, Number(device.leafWeight) > 0);
        return weight(`${property}.weight`, `${device.major}:${device.minor} `, device.weight);
      }),
      ...THROTTLES.flatMap(([list, , key]) =>
        (io[list] ?? []).map(({ major, minor, rate }, i) =>
          set(`blockIO.${list}[${i}]`, "io.max", `${major}:${minor} ${key}=${unlessZero(rate) ?? "max"}`),
        ),
      ),
    ];
  },
  hugetlb: ({ hugepageLimits = [] }) =>
    hugepageLimits.flatMap(({ pageSize, limit }, i) => [
      set(`hugepageLimits[${i}]`, `hugetlb.${pageSize}.rsvd.max`, decimal(limit), "nothing"),
      set(`hugepageLimits[${i}]`, `hugetlb.${pageSize}.max`, decimal(limit)),
    ]),
  net_cls: ({ network }) => {
    none("network.classID", Number(network?.classID) > 0);
    return [];
  },
  net_prio: ({ network }) => {
    none("network.priorities", Number(network?.priorities?.length) > 0);
    return [];
  },
  rdma,
};

/** Refuses what v1 can do and v2 cannot. */
function none(property: string, asked: boolean): void {
  if (asked) throw refusal(property, "has no equivalent in cgroup v2");
}

/** A limit where 0 is unset and -1 none at all. */
const limit = (value: number | bigint | undefined): string | undefined =>
  Number(value) === -1 ? "max" : unlessZero(value);

/** The property limits memory and swap together, v2's file swap alone. */
function swap({ limit, swap }: MemoryResources): string | undefined {
  if (Number(swap ?? 0) === 0) return Number(limit) === -1 ? "max" : undefined;
  if (Number(swap) === -1) return "max";
  if (Number(limit ?? 0) <= 0) throw refusal("memory.swap", "needs memory.limit: it is memory and swap together");
  const rest = BigInt(swap as number) - BigInt(limit as number);
  if (rest < 0n) throw refusal("memory.swap", "is less than memory.limit: it is memory and swap together");
  return String(rest);
}

/** Maps 2…262144 onto 1…10000 and v1's default, 1024, onto v2's, 100: the curve that runc and crun use. */
function weightOfShares({ shares }: CpuResources): string | undefined {
  if (unlessZero(shares) === undefined) return undefined;
  const bits = Math.log2(Math.min(Math.max(Number(shares), 2), 262144));
  return String(Math.ceil(10 ** ((bits * bits + 125 * bits) / 612 - 7 / 34)));
}

/** cpu.max is "quota period"; without a period the present one stays. */
function bandwidth({ quota, period }: CpuResources): Setting | undefined {
  const [time, length] = [unlessZero(quota), unlessZero(period)];
  if (time === undefined && length === undefined) return undefined;
  const text = `${time === undefined || Number(time) < 0 ? "max" : time} ${length ?? ""}`.trimEnd();
  return set(time === undefined ? "cpu.period" : "cpu.quota", "cpu.max", text, text === "max" ? "nothing" : undefined);
}

/** A weight for the BFQ scheduler where it is in use, else for the kernel's own, whose 1…10000 corresponds to 10…1000. */
function weight(property: string, device: string, value: number | undefined): (Setting | undefined)[] {
  if (!value) return [];
  const scaled = Math.max(1, 1 + Math.floor(((value - 10) * 9999) / 990));
  return [set(property, "io.bfq.weight", device + value, set(property, "io.weight", device + scaled))];
}
