import { SignalPipe } from "../launch/signal-pipe.js";
import { viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EAGAIN, EIO } from "../linux/errno.js";
import { close, type Fd, read, writeAll } from "../linux/file.js";
import { exitStatus, openProcess, pollReadable, signal, waitFor } from "../linux/process.js";
import { SIGCHLD, SIGWINCH } from "../linux/signals.js";
import { attempt, SyscallError } from "../linux/syscall.js";
import { copySize, isTerminal, makeRaw } from "../linux/terminal.js";

/** The signals that are meant for the container when they reach the command that runs it. */
const FORWARDED = [1, 2, 3, 10, 12, 14, 15, 18, 20, 21, 22, 23, 24, 25, 26, 27, SIGWINCH, 29, 30];

/**
 * Stays with a container in the foreground: passes signals on, and what goes through its terminal, until its first
 * process ends. Returns the exit status that a shell would tell.
 */
export function attend(pid: number, signals: SignalPipe, terminal: Fd | undefined): number {
  const process = openProcess(pid);
  const restore = terminal !== undefined && isTerminal(0) ? makeRaw(0) : undefined;
  try {
    const watched = new Set([process, signals.fd, ...(terminal === undefined ? [] : [0, terminal])]);
    for (;;) {
      const ready = pollReadable([...watched], -1);
      if (ready.includes(signals.fd)) take(signals.next(), pid, terminal);
      if (terminal !== undefined) {
        if (ready.includes(0) && !copy(0, terminal)) watched.delete(0);
        if (ready.includes(terminal) && !copy(terminal, 1)) watched.delete(terminal);
      }
      if (ready.includes(process)) {
        if (terminal !== undefined) drain(terminal);
        return exitStatus(waitFor(pid));
      }
    }
  } finally {
    restore?.();
    close(process);
  }
}

function take(number: number, pid: number, terminal: Fd | undefined): void {
  if (number === SIGCHLD) reapOrphans(pid);
  else if (number === SIGWINCH && terminal !== undefined) copySize(0, terminal);
  else signal(pid, number);
}

/** Takes the status of all children that have ended, up to `pid` if that is among them: they were adopted. waitid(2) */
function reapOrphans(pid: number): void {
  const info = new Uint8Array(128);
  const view = viewOf(info);
  for (;;) {
    view.setInt32(SI_PID, 0, true);
    const how = C.WEXITED | C.WNOHANG | C.WNOWAIT | C.__WALL;
    if (attempt("waitid", C.P_ALL, 0, info, how, null) < 0) return;
    const ended = view.getInt32(SI_PID, true);
    if (ended === 0 || ended === pid) return;
    waitFor(ended);
  }
}

/** Where siginfo_t has the process's id. */
const SI_PID = 16;

/** Passes on what has come. Returns false at the end. */
function copy(from: Fd, to: Fd): boolean {
  const bytes = new Uint8Array(8192);
  try {
    const count = read(from, bytes);
    if (count > 0) writeAll(to, bytes.subarray(0, count));
    return count > 0;
  } catch (error) {
    // A terminal whose other end is closed by all reports EIO.
    if (error instanceof SyscallError && error.errno === EIO) return false;
    if (error instanceof SyscallError && error.errno === EAGAIN) return true;
    throw error;
  }
}

/** What the process wrote before it ended is still to come through. */
function drain(terminal: Fd): void {
  while (pollReadable([terminal], 0).length > 0 && copy(terminal, 1));
}

/** Starts to take signals for a container that is about to be made. */
export const takeSignals = (): SignalPipe => new SignalPipe([...FORWARDED, SIGCHLD]);
