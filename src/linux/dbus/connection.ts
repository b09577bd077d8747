import { ffi } from "../../ffi/driver.js";
import { concat } from "../bytes.js";
import { C } from "../constants.js";
import { Failure } from "../failure.js";
import { close, type Fd, read } from "../file.js";
import { waitReadable } from "../process.js";
import { connectUnix } from "../socket.js";
import { sys } from "../syscall.js";
import { decodeMessage, encodeMessage, lengthOf, type Message, PREFIX, TYPES } from "./message.js";
import type { Value } from "./value.js";

/** A method of an object, and the arguments' types. */
export interface Method {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
}

/** An error that the other side answered a call with. */
export class DBusError extends Failure {
  constructor(
    /** "org.freedesktop.DBus.Error.…" and the like. */
    readonly errorName: string,
    text: string,
  ) {
    super(text === "" ? errorName : text.replace(/\.$/, ""));
  }
}

const BUS: Omit<Method, "member"> = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

/** How long the other side may take for an answer, in milliseconds. */
const PATIENCE = 30_000;

/** A connection to a program that speaks D-Bus, or to a bus. Synchronous: one call at a time. */
export class Connection {
  #serial = 0;
  /** What has come and is not read yet. */
  #input: Uint8Array = new Uint8Array(0);
  #signals: Message[] = [];

  private constructor(private readonly socket: Fd) {}

  /**
   * Connects to a Unix socket, as the user that this process is.
   *
   * @param kind whether a bus listens there, or the program itself
   * @throws SyscallError, Failure
   */
  static open(path: string, kind: "bus" | "peer"): Connection {
    const connection = new Connection(connectUnix(path));
    try {
      connection.#authenticate();
      if (kind === "bus") connection.call({ ...BUS, member: "Hello" });
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * "Authentication Protocol", mechanism EXTERNAL: the other side asks the kernel who this is. All is said at once: a
   * first message that comes together with BEGIN is left lying by systemd until the next one comes.
   */
  #authenticate(): void {
    this.#send(ffi.encode("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"));
    for (const expected of ["DATA", "OK "]) {
      const answer = this.#line();
      if (!answer.startsWith(expected)) throw new Failure(`authenticate: ${JSON.stringify(answer)}`);
    }
  }

  /** Calls a method. Returns what it answers. Throws DBusError, SyscallError, Failure. */
  call(method: Method, ...body: Value[]): readonly Value[] {
    const serial = ++this.#serial;
    this.#send(encodeMessage({ type: TYPES.call, serial, ...method, body }));
    const end = Date.now() + PATIENCE;
    for (;;) {
      const message = this.#receive(end);
      if (message.type === TYPES.signal) this.#signals.push(message);
      else if (message.replySerial !== serial) continue;
      else if (message.type === TYPES.return) return message.body;
      else throw new DBusError(message.errorName as string, String(message.body[0] ?? ""));
    }
  }

  /** Has a bus send the signals that a rule describes: "type='signal',member='X'". Throws like `call`. */
  subscribe(rule: string): void {
    this.call({ ...BUS, member: "AddMatch", signature: "s" }, rule);
  }

  /** Waits for a signal, one that has come already included. Returns what it tells. Throws SyscallError, Failure. */
  waitFor(member: string, matches: (body: readonly Value[]) => boolean): readonly Value[] {
    const end = Date.now() + PATIENCE;
    for (;;) {
      for (const { member: name, body } of this.#signals.splice(0)) if (name === member && matches(body)) return body;
      const message = this.#receive(end);
      if (message.type === TYPES.signal) this.#signals.push(message);
    }
  }

  close(): void {
    close(this.socket);
  }

  #send(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; )
      rest = rest.subarray(sys("sendto", this.socket, rest, rest.length, C.MSG_NOSIGNAL, null, 0));
  }

  #receive(end: number): Message {
    while (this.#input.length < PREFIX || this.#input.length < lengthOf(this.#input)) this.#readMore(end);
    return decodeMessage(this.#take(lengthOf(this.#input)));
  }

  #line(): string {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const length = this.#input.indexOf(10) + 1;
      if (length > 0) return ffi.decode(this.#take(length)).trimEnd();
      this.#readMore(end);
    }
  }

  #take(length: number): Uint8Array {
    const taken = this.#input.subarray(0, length);
    this.#input = this.#input.subarray(length);
    return taken;
  }

  /** Waits for more to come. */
  #readMore(end: number): void {
    const left = end - Date.now();
    if (left <= 0 || !waitReadable(this.socket, left)) throw new Failure(`no answer within ${PATIENCE / 1000} seconds`);
    const part = new Uint8Array(4096);
    const count = read(this.socket, part);
    if (count === 0) throw new Failure("the connection was closed");
    this.#input = concat([this.#input, part.subarray(0, count)]);
  }
}
