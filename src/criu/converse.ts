import { ffi } from "../ffi/driver.js";
import { spawn } from "../launch/spawn.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd } from "../linux/file.js";
import { findProgram } from "../linux/find-program.js";
import { waitFor } from "../linux/process.js";
import { receive, socketPair } from "../linux/socket.js";
import { attemptAgain, must, sys } from "../linux/syscall.js";
import { compileCriu } from "./compile-criu.js";
import { KINDS, REQUEST, RESPONSE } from "./messages.js";
import { type Content, decode, encode, type Received } from "./protobuf.js";

/** What is asked of criu. */
export interface Question {
  readonly kind: "dump" | "pre-dump" | "restore" | "feature-check";
  /** criu_opts, or criu_features. */
  readonly content: Content;
  /** Descriptors that criu finds open, by the same numbers. */
  readonly inherited?: readonly Fd[];
  /** The root file system to restore. */
  readonly root?: string;
  /** Told criu's process before that begins; gives further options. */
  readonly started?: (pid: number) => Content;
  /** Told how far criu is. What it throws ends criu's work, and is what the caller is told. */
  readonly notified?: (notice: Notice) => void;
}

/** How far criu is: its word for it, the first process's id as the runtime sees it, and a descriptor. */
export interface Notice {
  readonly script: string;
  readonly pid: number;
  readonly fd?: Fd;
}

export type Answer = Received<typeof RESPONSE>;

/** What criu cannot do. */
export class CriuFailure extends Failure {
  constructor(options: { cause: unknown; hint?: string }) {
    super("criu", options);
  }
}

/** Longer than any of criu's messages, in bytes. */
const LONGEST = 65536;

/**
 * Starts criu as a worker of this process (`criu swrk`), asks it one thing and waits for the answer. It is asked by its
 * protocol and not by a command line, since only so it hands over the terminal and lets hooks run in between, and makes
 * the restored process this one's child. Throws CriuFailure, or what
 * `notified` throws.
 */
export function converse({ kind, content, inherited = [], root, started, notified }: Question): Answer {
  const path = findProgram("criu");
  if (path === undefined)
    throw new CriuFailure({ cause: "executable file not found in $PATH", hint: "its package is named criu" });
  const [ours, theirs] = socketPair();
  let pid: number | undefined;
  try {
    try {
      for (const fd of [0, 1, 2, theirs, ...inherited]) sys("fcntl", fd, C.F_SETFD, 0);
      const program = { path, env: ffi.environ, socket: theirs, inherited, ...(root !== undefined && { root }) };
      pid = spawn({ what: "criu", executable: compileCriu(program) });
    } finally {
      close(theirs);
      for (const fd of inherited) sys("fcntl", fd, C.F_SETFD, C.FD_CLOEXEC);
    }
    const subject = kind === "feature-check" ? "features" : "opts";
    send(ours, { type: KINDS[kind], [subject]: { ...content, ...started?.(pid) } });
    return answerOf(ours, notified);
  } finally {
    // criu ends once nobody asks any more.
    close(ours);
    if (pid !== undefined) waitFor(pid);
  }
}

function send(socket: Fd, request: Content): void {
  const bytes = encode(REQUEST, request);
  must("sendto", "send to criu", attemptAgain("sendto", socket, bytes, bytes.length, C.MSG_NOSIGNAL, null, 0));
}

/** Answers criu's notices until its answer comes. */
function answerOf(socket: Fd, notified: Question["notified"]): Answer {
  let failure: unknown;
  for (;;) {
    const { bytes, fd } = receive(socket, LONGEST);
    if (bytes.length === 0) throw failure ?? new CriuFailure({ cause: "it has ended without an answer" });
    const answer = decode(RESPONSE, bytes);
    if (answer.type === KINDS.notify && answer.success) {
      try {
        const { script = "", pid = 0 } = answer.notify ?? {};
        notified?.({ script, pid, ...(fd !== undefined && { fd }) });
      } catch (error) {
        failure ??= error;
      }
      send(socket, { type: KINDS.notify, notify_success: failure === undefined });
    } else {
      if (failure !== undefined) throw failure;
      if (answer.success) return answer;
      throw new CriuFailure({
        cause: answer.cr_errmsg ?? `it has failed with error ${answer.cr_errno ?? "unknown"}`,
      });
    }
  }
}
