import { MESSAGES, type Message } from "../init/message.js";
import { fromCstring, viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ECONNRESET, ENOSYS, errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, using } from "../linux/file.js";
import { takeDescriptor, waitReadable } from "../linux/process.js";
import { SIGKILL } from "../linux/signals.js";
import { type Received, receive } from "../linux/socket.js";
import { attempt, attemptAgain, SyscallError } from "../linux/syscall.js";
import { type Hint, REPORT_SIZE } from "../machine/program.js";

/** What a failed step's message needs: a `Step`, or what was kept of one. */
export interface ToldStep {
  readonly says: string;
  readonly from?: string;
  readonly hint?: Hint;
  readonly call?: string;
}

/** How long a killed process may take to end, in milliseconds. */
const PATIENCE = 2000;

/** A started init, or a process that is added to a container: its process, and the conversation with its program. */
export class Init {
  /** Whether its status was taken: from then on its id may be another process's. */
  private reaped = false;

  constructor(
    /** As this process sees it; 0 if it was never made. */
    readonly pid: number,
    /** Which file it executes, of `identityOf`. */
    readonly executable: string,
    private readonly socket: Fd,
    /** A step of its programs by number: what a failure's message needs of it. */
    private readonly step: (number: number) => ToldStep,
  ) {}

  /**
   * Waits for init's next message.
   *
   * @returns the message and the descriptor that came with it; undefined when init has closed its end, having executed
   *   the user's program
   * @throws Failure where init has failed: with its step's number, sentence and errno
   */
  next(): Said | undefined {
    const { bytes, fd } = receiveEnd(this.socket);
    if (bytes.length === 0) return undefined;
    if (bytes.length >= REPORT_SIZE) throw failureOf(this.step(numberOf(bytes)), bytes, numberOf(bytes));
    return said(this.pid, { bytes, ...(fd !== undefined && { fd }) });
  }

  /** Lets a waiting init go on. One that has ended meanwhile has told why: `next` says it. */
  go(): void {
    attemptAgain("sendto", this.socket, new Uint8Array(1), 1, C.MSG_NOSIGNAL, null, 0);
  }

  /**
   * Ends init, if it has not ended, and takes its status. What was stopped meanwhile, in a paused container's cgroup of
   * v1, ends when it goes on.
   */
  kill(): void {
    if (this.pid > 0 && !this.reaped) {
      const process = attempt("pidfd_open", this.pid, 0);
      attempt("kill", this.pid, SIGKILL);
      const ended = process < 0 || using(process, () => waitReadable(process, PATIENCE));
      if (ended) attempt("wait4", this.pid, 0, C.__WALL, 0);
    }
    this.hangUp();
  }

  hangUp(): void {
    close(this.socket);
  }

  /** What has become of one that said nothing and closed its end: a sentence. */
  fate(): string {
    return this.ending() ?? "it closed its connection";
  }

  /** How it has ended, if it has: a sentence. */
  ending(): string | undefined {
    const status = new Int32Array(1);
    const ended = attempt("wait4", this.pid, new Uint8Array(status.buffer), C.__WALL | C.WNOHANG, 0);
    if (ended !== this.pid) return undefined;
    this.reaped = true;
    const signal = status[0] & 0x7f;
    return signal === 0 ? `it exited with status ${status[0] >> 8}` : `it was killed by signal ${signal}`;
  }
}

/**
 * Receives a packet. Where init ended with words of the runtime's unread, the kernel tells that first, as an error, and
 * only then what init has said.
 */
function receiveEnd(socket: Fd): Received {
  try {
    return receive(socket, REPORT_SIZE);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ECONNRESET) return receive(socket, REPORT_SIZE);
    throw error;
  }
}

/** A program's message, and the descriptor that came with it. */
export interface Said {
  readonly message: Message;
  readonly fd?: Fd;
}

/** What a packet says that is no report; `pid` is the process that has sent it. Throws SyscallError. */
export function said(pid: number, { bytes, fd }: Received): Said {
  const view = viewOf(bytes);
  const code = view.getUint32(0, true);
  const message = (Object.keys(MESSAGES) as Message[]).find((name) => MESSAGES[name] === code) as Message;
  if (message === "listener") return { message, fd: takeDescriptor(pid, view.getInt32(8, true)) };
  return { message, ...(fd !== undefined && { fd }) };
}

/** The number of the step that a report tells of. */
export const numberOf = (report: Uint8Array): number => viewOf(report).getUint32(0, true);

/** The failure that a program's report tells of; `number` is told where the step is one of those that `plan` prints. */
export const failureOf = (step: ToldStep, report: Uint8Array, number?: number): Failure =>
  stepFailure(step, viewOf(report).getUint32(4, true), number, fromCstring(report.subarray(8)).trim());

/** The failure of a step; `log` is what its mount context has to say. */
export function stepFailure({ says, from, hint, call }: ToldStep, errno: number, number?: number, log = ""): Failure {
  const origin = from === undefined ? "" : `${from}: `;
  const place = number === undefined ? "" : ` (step ${number})`;
  const called = call === undefined ? "" : `${call}: `;
  // The kernel prefixes a mount context's messages with their level.
  const reason = log === "" ? "" : `: ${log.replace(/^[ewi] /, "")}`;
  // A wait that met the connection's end has no errno.
  const error = errno === 0 ? "the runtime is gone" : `${errnoText(errno)} (${errnoName(errno)})`;
  const own = typeof hint === "object" ? hint[errnoName(errno)] : hint;
  const advice = errno === ENOSYS ? "Linux 5.12 or later is needed, without a filter on its mount calls" : own;
  return new Failure(`${origin}${says}${place}`, {
    cause: `${called}${error}${reason}`,
    ...(advice && { hint: advice }),
  });
}
