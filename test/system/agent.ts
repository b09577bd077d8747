import { closeSync, openSync, readSync } from "node:fs";
import { viewOf, words } from "../../src/linux/bytes.js";
import { C } from "../../src/linux/constants.js";
import { using } from "../../src/linux/file.js";
import { poll, waitReadable } from "../../src/linux/process.js";
import { receive } from "../../src/linux/socket.js";
import { sys } from "../../src/linux/syscall.js";

/** A container process state and what came with it. */
export interface Introduction {
  readonly message: Record<string, unknown> & { pid: number; state: { pid: number } & Record<string, unknown> };
  readonly listener: number;
}

/** A system call that waits for an answer. */
export interface Call {
  /** The caller, as this process numbers it. */
  readonly pid: number;
  readonly args: readonly bigint[];
  /** The text at an address of the caller's. */
  text(address: bigint): string;
}

/** An errno that the call fails with, a value that it returns, or that it is to be made as it is. */
export type Answer = { errno: number } | { value: number } | "continue";

/** ioctl(2)'s numbers of linux/seccomp.h. */
const [NOTIF_RECV, NOTIF_SEND] = [0xc0502100, 0xc0182101];
const CONTINUE = 1n << 32n;
const PATIENCE = 120_000;

/** Whoever waits at a socket for the listeners of filters, and answers what they tell of. */
export class Agent {
  private readonly socket: number;
  private readonly opened: number[] = [];

  constructor(path: string) {
    this.socket = this.keep(sys("socket", C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0));
    const name = new TextEncoder().encode(`  ${path}\0`);
    viewOf(name).setUint16(0, C.AF_UNIX, true);
    sys("bind", this.socket, name, name.length);
    sys("listen", this.socket, 8);
  }

  /** Takes one connection and reads it: to its end, or just the first packet. */
  meet(toItsEnd = true): Introduction {
    if (!waitReadable(this.socket, PATIENCE)) throw new Error("nobody has connected to the agent");
    return using(sys("accept4", this.socket, 0, 0, C.SOCK_CLOEXEC), (connection) => {
      let text = "";
      let listener = -1;
      for (;;) {
        const { bytes, fd } = receive(connection, 65536);
        if (fd !== undefined) listener = this.keep(fd);
        text += new TextDecoder().decode(bytes);
        if (bytes.length === 0 || !toItsEnd) return { message: JSON.parse(text), listener };
      }
    });
  }

  /** Answers one system call. */
  answer(listener: number, decide: (call: Call) => Answer): void {
    if (!waitReadable(listener, PATIENCE)) throw new Error("no system call has been notified of");
    // Some kernels wait for a call even where nobody is left to make one.
    if (poll(new Map([[listener, 0]]), 0).length > 0) throw new Error("ENOENT: all have ended");
    const request = new Uint8Array(80);
    sys("ioctl", listener, NOTIF_RECV, request);
    const view = viewOf(request);
    const pid = view.getUint32(8, true);
    const args = Array.from({ length: 6 }, (_, i) => view.getBigUint64(32 + 8 * i, true));
    const answer = decide({ pid, args, text: (address) => textOf(pid, address) });
    const id = view.getBigUint64(0, true);
    const [value, error] = answer === "continue" ? [0, CONTINUE] : "value" in answer ? [answer.value, 0] : [0, answer];
    const last = typeof error === "object" ? BigInt.asUintN(32, BigInt(-error.errno)) : error;
    sys("ioctl", listener, NOTIF_SEND, words(id, value, last));
  }

  /** Answers all system calls until nobody is left who makes any. */
  answerAll(listener: number, decide: (call: Call) => Answer): void {
    for (;;) {
      try {
        this.answer(listener, decide);
      } catch (error) {
        // The caller has been killed meanwhile; or all have ended.
        if (!(error instanceof Error) || !error.message.includes("ENOENT")) throw error;
        return;
      }
    }
  }

  close(): void {
    for (const fd of this.opened.splice(0)) closeSync(fd);
  }

  private keep(fd: number): number {
    this.opened.push(fd);
    return fd;
  }
}

function textOf(pid: number, address: bigint): string {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const bytes = new Uint8Array(256);
    const count = readSync(memory, bytes, { position: address });
    return new TextDecoder().decode(bytes.subarray(0, count)).split("\0")[0];
  } finally {
    closeSync(memory);
  }
}
