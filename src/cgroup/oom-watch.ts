import { cstring, viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ENODEV, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { close, exists, type Fd, open, readFile, using, writeFile } from "../linux/file.js";
import { attempt, expecting, must, sys } from "../linux/syscall.js";
import type { CgroupPaths } from "./cgroup.js";
import { counts } from "./counters.js";

/** A watch over a container's want of memory. */
export interface OomWatch {
  /** Becomes readable when there may be something to take. */
  readonly fd: Fd;
  /** How often the kernel has killed for want of memory since this was asked last. */
  take(): number;
  close(): void;
}

/** Begins to watch. Throws Failure where the container's cgroups do not limit memory. */
export function watchOom({ memory, "": v2 }: CgroupPaths): OomWatch {
  if (memory !== undefined) return watchV1(memory);
  if (v2 !== undefined && exists(`${v2}/memory.events`)) return watchV2(v2);
  throw new Failure("watch the container's memory", {
    cause: 'there is no cgroup controller "memory" for it',
    hint: "--stats does without",
  });
}

/** v1 adds to an eventfd (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"). */
function watchV1(directory: string): OomWatch {
  const fd = sys("eventfd2", 0, C.EFD_CLOEXEC | C.EFD_NONBLOCK);
  try {
    using(open(`${directory}/memory.oom_control`, C.O_RDONLY), (control) =>
      writeFile(`${directory}/cgroup.event_control`, `${fd} ${control}`),
    );
  } catch (error) {
    close(fd);
    throw error;
  }
  return {
    fd,
    take: () => {
      const times = new Uint8Array(8);
      if (attempt("read", fd, times, times.length) < 0) return 0;
      // The end of the cgroup is told in the same way.
      return exists(directory) ? Number(viewOf(times).getBigUint64(0, true)) : 0;
    },
    close: () => close(fd),
  };
}

/** v2 counts in a file, and tells when that changes (Documentation/admin-guide/cgroup-v2.rst, "memory.events"). */
function watchV2(directory: string): OomWatch {
  const file = `${directory}/memory.events`;
  // The cgroup may go at any time.
  const kills = () => Number(counts(expecting([ENOENT, ENODEV], "", () => readFile(file)).trim()).oom_kill ?? 0);
  const fd = sys("inotify_init1", C.IN_CLOEXEC | C.IN_NONBLOCK);
  let before: number;
  try {
    must("inotify_add_watch", ["watch", file], attempt("inotify_add_watch", fd, cstring(file), C.IN_MODIFY));
    before = kills();
  } catch (error) {
    close(fd);
    throw error;
  }
  const events = new Uint8Array(4096);
  return {
    fd,
    take: () => {
      while (attempt("read", fd, events, events.length) > 0);
      const now = kills();
      const more = Math.max(0, now - before);
      before = Math.max(before, now);
      return more;
    },
    close: () => close(fd),
  };
}
