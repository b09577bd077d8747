import { listDirectory } from "../linux/file.js";

/** A file's content without the last line feed; "" where there is no such file. */
export type Read = (file: string) => string;

/** Reads one topic's statistics from the directories of its controllers. */
export type StatsReader = (...reads: Read[]) => unknown;

/** A number of the kernel's, which has up to 64 bits. */
export type Count = number | bigint;

/** What stands for no limit. */
export const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/** A number as a file has it: "max" is no limit, nothing is 0. */
export function count(text = ""): Count {
  if (text === "max") return UNLIMITED;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

/** The lines "key value" of a file. */
export function counts(text: string): Record<string, Count> {
  const pairs = text.split("\n").map((line) => line.split(" "));
  return Object.fromEntries(pairs.filter(({ length }) => length === 2).map(([key, value]) => [key, count(value)]));
}

/** The members that are neither zero nor empty: the others are not told. */
export const unlessZero = <T extends Record<string, unknown>>(members: T): Partial<T> =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : Number(value) !== 0)),
  ) as Partial<T>;

/** A limit and what is used of it: a limit of 0 and a count of 0 are told, the rest where there is any. */
export const usage = (limit: Count, used: Count, max: Count, failcnt: Count) => ({
  limit,
  ...unlessZero({ usage: used, max }),
  failcnt,
});

/** The number of processes, and the limit, where there is one. */
export const pids: StatsReader = (read) => {
  const max = count(read("pids.max"));
  return unlessZero({ current: count(read("pids.current")), limit: max === UNLIMITED ? 0 : max });
};

/** What happened on a block device: what, and how much of it. */
export interface DeviceCount {
  device: string;
  op: string;
  value: Count;
}

/** Counts by device, as they are told. */
export const byDevice = (entries: readonly DeviceCount[]): unknown[] =>
  entries.map(({ device, op, value }) => {
    const [major, minor] = device.split(":").map(Number);
    return { ...unlessZero({ major, minor }), ...(op !== "" && { op }), ...unlessZero({ value }) };
  });

const UNITS = ["KB", "MB", "GB", "TB"];

/** The sizes of huge pages that the host has, as cgroups name them: "2MB". */
export const hugePageSizes = (): string[] =>
  listDirectory("/sys/kernel/mm/hugepages").map((name) => {
    let size = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]);
    let unit = 0;
    for (; size >= 1024; size /= 1024) unit++;
    return `${size}${UNITS[unit]}`;
  });
