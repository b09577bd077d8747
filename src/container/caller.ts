import { ffi } from "../ffi/driver.js";
import type { Process } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote, replaceFile, using } from "../linux/file.js";
import { openProcess } from "../linux/process.js";
import { connectUnix, sendDescriptor } from "../linux/socket.js";
import { attempt, sys } from "../linux/syscall.js";
import type { CreateOptions } from "./options.js";

/** How many sockets, as descriptors from 3 on, systemd has handed to this very process. sd_listen_fds(3) */
export function countListenFds(): number {
  const variable = (name: string) => ffi.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  const count = variable("LISTEN_FDS") ?? "";
  return variable("LISTEN_PID") === String(sys("getpid")) && /^\d{1,5}$/.test(count) ? Number(count) : 0;
}

/** What is not open yet would be opened by the runtime, for itself: that must not end up in a container. */
export function requirePreserved(count: number): void {
  for (let fd = 3; fd < 3 + count; fd++)
    if (attempt("fcntl", fd, C.F_GETFD) < 0)
      throw new Failure(`--preserve-fds ${count}`, { cause: `descriptor ${fd} is not open` });
}

/** A terminal goes to a socket or, in the foreground, to the command itself; a socket needs a terminal. */
export function requireConsole(
  process: Process | undefined,
  { consoleSocket, foreground }: Pick<CreateOptions, "consoleSocket" | "foreground">,
): void {
  const terminal = process?.terminal;
  if (terminal && consoleSocket === undefined && !foreground)
    throw new Failure("process.terminal", { cause: "--console-socket is needed for a container that runs detached" });
  if (!terminal && consoleSocket !== undefined)
    throw new Failure("--console-socket", { cause: "process.terminal is not set" });
}

/** Connects to a socket that the caller waits at. */
export function connectTo(flag: string, path: string): Fd {
  try {
    return connectUnix(path);
  } catch (cause) {
    throw new Failure(`${flag} ${quote(path)}`, { cause });
  }
}

/** Writes a process id to the file of --pid-file, where there is one. Throws Failure. */
export function writePidFile({ pidFile }: { readonly pidFile?: string }, pid: number): void {
  if (pidFile === undefined) return;
  try {
    replaceFile(pidFile, String(pid), 0o644);
  } catch (cause) {
    throw new Failure(`--pid-file ${quote(pidFile)}`, { cause });
  }
}

/** Hands the caller a descriptor of a process. */
export function sendProcess(socket: Fd, pid: number): void {
  using(openProcess(pid), (process) => sendDescriptor(socket, "pidfd", process));
}
