import { viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { EACCES, ENOENT, ESRCH } from "./errno.js";
import { type Fd, readFile, type Stat, stat, using } from "./file.js";
import { attempt, attemptAgain, expecting, must, SyscallError, sys } from "./syscall.js";

/** What tells a process from a later one of the same id: proc(5), /proc/PID/stat field 22, in clock ticks since boot. */
export interface ProcessStatus {
  readonly startTime: number;
  /** "R", "S", "D", "Z" and so on. */
  readonly state: string;
}

/** A process's status, or undefined where there is none of this id. Throws SyscallError. */
export function processStatus(pid: number): ProcessStatus | undefined {
  const line = orAbsent(() => readFile(`/proc/${pid}/stat`));
  if (line === undefined) return undefined;
  // The second field is the name in parentheses, which may itself hold any character.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ", 20);
  return { state: fields[0], startTime: Number(fields[19]) };
}

/**
 * Which file a process executes: its file system's device and its inode; undefined where there is no process, "" where
 * this one may not know: it executes what cannot be read.
 */
export const executableOf = (pid: number): string | undefined =>
  orAbsent(() =>
    expecting([EACCES], "", () => {
      const status = stat(`/proc/${pid}/exe`);
      return status && identityOf(status);
    }),
  );

/** What tells a file from all others. */
export const identityOf = ({ fileSystem: { major, minor }, inode }: Stat): string => `${major}:${minor}:${inode}`;

function orAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === ENOENT || error.errno === ESRCH)) return undefined;
    throw error;
  }
}

/** How a process ended: its exit status, or the number of the signal that killed it. */
export type Ending = { readonly status: number } | { readonly signal: number };

/** Waits for a child of any kind. Throws SyscallError. wait4(2) */
export function waitFor(pid: number): Ending {
  const status = new Uint8Array(4);
  sys("wait4", pid, status, C.__WALL, 0);
  return endingOf(viewOf(status).getInt32(0, true));
}

/** The ending of a child that has ended, else undefined. Throws SyscallError. */
export function pollFor(pid: number): Ending | undefined {
  const status = new Uint8Array(4);
  if (sys("wait4", pid, status, C.__WALL | C.WNOHANG, 0) === 0) return undefined;
  return endingOf(viewOf(status).getInt32(0, true));
}

const endingOf = (status: number): Ending =>
  (status & 0x7f) === 0 ? { status: (status >> 8) & 0xff } : { signal: status & 0x7f };

/** The exit status by which a shell tells of an ending: 128 more than the signal. */
export const exitStatus = (ending: Ending): number => ("status" in ending ? ending.status : 128 + ending.signal);

export function openProcess(pid: number): Fd {
  return sys("pidfd_open", pid, 0);
}

/** A descriptor of another process's, as one of this one. Throws SyscallError. pidfd_getfd(2) */
export function takeDescriptor(pid: number, number: number): Fd {
  return using(openProcess(pid), (process) => {
    const taken = attempt("pidfd_getfd", process, number, 0);
    return must("pidfd_getfd", `take descriptor ${number} out of process ${pid}`, taken);
  });
}

/** Waits until a descriptor is readable. Returns false after so many milliseconds; -1 waits for ever. ppoll(2) */
export function waitReadable(fd: Fd, milliseconds: number): boolean {
  return pollReadable([fd], milliseconds).length > 0;
}

/** Which of the descriptors are readable or at their end, waiting for the first. Throws SyscallError. */
export const pollReadable = (fds: readonly Fd[], milliseconds: number): Fd[] =>
  poll(new Map(fds.map((fd) => [fd, C.POLLIN])), milliseconds);

/**
 * Which of the descriptors are ready for what is awaited of them, POLLIN or POLLOUT, or at their end; waits for the
 * first, so many milliseconds, or for ever with -1. Throws SyscallError. ppoll(2)
 */
export function poll(awaited: ReadonlyMap<Fd, number>, milliseconds: number): Fd[] {
  const fds = [...awaited.keys()];
  const set = new Uint8Array(fds.length * 8);
  const view = viewOf(set);
  fds.forEach((fd, i) => {
    view.setInt32(i * 8, fd, true);
    view.setInt16(i * 8 + 4, awaited.get(fd) as number, true);
  });
  const time = new Uint8Array(16);
  viewOf(time).setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  viewOf(time).setBigInt64(8, BigInt((milliseconds % 1000) * 1e6), true);
  const ready = attemptAgain("ppoll", set, fds.length, milliseconds < 0 ? null : time, 0, 8);
  if (ready < 0) throw new SyscallError("ppoll", -ready);
  return fds.filter((_, i) => view.getInt16(i * 8 + 6, true) !== 0);
}

/** Sends a signal. Returns false where the process is gone. Throws SyscallError. kill(2) */
export function signal(pid: number, number: number): boolean {
  const result = attempt("kill", pid, number);
  if (result === -ESRCH) return false;
  if (result < 0) throw new SyscallError("kill", -result, `signal process ${pid}`);
  return true;
}
