import { Builder, slot } from "../init/builder.js";
import type { Topic } from "../init/kept-parts.js";
import { viewOf, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { type Fd, read } from "../linux/file.js";
import { sys } from "../linux/syscall.js";
import type { Program } from "../machine/program.js";
import { placeProgram } from "./native.js";

/**
 * Turns signals into bytes to read. The handler is a program of its own, since an engine may run threads that no mask
 * of ours reaches, which rules out signalfd(2); and nothing of an engine may run in a handler.
 */
export class SignalPipe {
  /** Becomes readable when a signal has come. */
  readonly fd: Fd;

  constructor(signals: readonly number[]) {
    const pair = new Uint8Array(8);
    sys("pipe2", pair, C.O_CLOEXEC | C.O_NONBLOCK);
    this.fd = viewOf(pair).getInt32(0, true);
    const handler = placeProgram(handlerProgram(), { pipe: viewOf(pair).getInt32(4, true), report: -1, context: -1 });
    const restorer = placeProgram(returnProgram(), { report: -1, context: -1 });
    // The kernel's struct sigaction: handler, flags, restorer, mask.
    const action = words(handler, C.SA_RESTART | C.SA_RESTORER, restorer, -1);
    for (const signal of signals) sys("rt_sigaction", signal, action, 0, 8);
  }

  /** The next signal that came. */
  next(): number {
    const word = new Uint8Array(8);
    read(this.fd, word);
    return word[0];
  }
}

/** A signal handler: writes its argument, the signal's number, to slot `pipe`. */
export const handlerProgram = (): Program => programOf(passOn);

/** What a handler returns to: the end of a signal's delivery, sigreturn(2). */
export const returnProgram = (): Program => programOf(endDelivery);

function programOf(topic: Topic<null>): Program {
  const b = new Builder();
  b.part(topic, null);
  return b.finish();
}

function passOn(b: Builder): void {
  b.about("pass a signal on");
  b.slot("pipe");
  b.store("argument", "signal");
  b.call("write", [slot("pipe"), { at: "signal" }, 8], { on: { "*": "next" } });
}

function endDelivery(b: Builder): void {
  b.about("return from a signal");
  b.call("rt_sigreturn", [], { on: { "*": "next" } });
}
