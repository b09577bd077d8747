import { SignalPipe } from "../launch/signal-pipe.js";
import { viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EAGAIN, EIO } from "../linux/errno.js";
import { close, type Fd, writeAll } from "../linux/file.js";
import { exitStatus, openProcess, poll, pollReadable, signal, waitFor } from "../linux/process.js";
import { SIGCHLD, SIGWINCH } from "../linux/signals.js";
import { attempt, attemptAgain, must, sys } from "../linux/syscall.js";
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
  // What came on standard input and the terminal has not taken yet: nothing waits for that, or both ends might.
  let typed = NOTHING;
  try {
    if (terminal !== undefined) sys("fcntl", terminal, C.F_SETFL, sys("fcntl", terminal, C.F_GETFL) | C.O_NONBLOCK);
    const open = new Set(terminal === undefined ? [] : [0, terminal]);
    for (;;) {
      const awaited = new Map([process, signals.fd, ...open].map((fd) => [fd, C.POLLIN]));
      if (typed.length > 0) {
        awaited.delete(0);
        if (terminal !== undefined && open.has(terminal)) awaited.set(terminal, C.POLLIN | C.POLLOUT);
      }
      const ready = poll(awaited, -1);
      if (ready.includes(signals.fd)) take(signals.next(), pid, terminal);
      if (terminal !== undefined) {
        if (ready.includes(0)) {
          const come = receive(0);
          if (come === undefined) open.delete(0);
          typed = come ?? NOTHING;
        }
        if (ready.includes(terminal) && !copy(terminal, 1)) open.delete(terminal);
        if (typed.length > 0) typed = give(terminal, typed);
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

const NOTHING = new Uint8Array(0);

/** What has come; undefined at the end. Throws SyscallError. */
function receive(from: Fd): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(8192);
  const count = attemptAgain("read", from, bytes, bytes.length);
  if (count === -EAGAIN) return NOTHING;
  // A terminal whose other end is closed by all reports EIO.
  if (count === 0 || count === -EIO) return undefined;
  return bytes.subarray(0, must("read", "read what is to be passed on", count));
}

/** Passes on what has come. Returns false at the end. */
function copy(from: Fd, to: Fd): boolean {
  const come = receive(from);
  if (come !== undefined) writeAll(to, come);
  return come !== undefined;
}

/** Gives a terminal what it takes at once. Returns the rest; nothing where nobody is there to read. */
function give(terminal: Fd, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const count = attemptAgain("write", terminal, bytes, bytes.length);
  if (count === -EAGAIN) return bytes;
  if (count === -EIO) return NOTHING;
  return bytes.subarray(must("write", "write to the terminal", count));
}

/** What the process wrote before it ended is still to come through. */
function drain(terminal: Fd): void {
  while (pollReadable([terminal], 0).length > 0 && copy(terminal, 1));
}

/** Starts to take signals for a container that is about to be made. */
export const takeSignals = (): SignalPipe => new SignalPipe([...FORWARDED, SIGCHLD]);
