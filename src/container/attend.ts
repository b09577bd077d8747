import { SignalPipe } from "../launch/signal-pipe.js";
import { EAGAIN, EIO } from "../linux/errno.js";
import { close, type Fd, read, writeAll } from "../linux/file.js";
import { exitStatus, openProcess, pollReadable, signal, waitFor } from "../linux/process.js";
import { SIGWINCH } from "../linux/signals.js";
import { SyscallError } from "../linux/syscall.js";
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
      if (ready.includes(signals.fd)) pass(signals.next(), pid, terminal);
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

function pass(number: number, pid: number, terminal: Fd | undefined): void {
  if (number === SIGWINCH && terminal !== undefined) copySize(0, terminal);
  else signal(pid, number);
}

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
export const takeSignals = (): SignalPipe => new SignalPipe(FORWARDED);
