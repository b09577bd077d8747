import { InvalidArgumentError } from "commander";
import { ffi } from "../ffi/driver.js";
import { concat, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EPROTOTYPE } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { open, quote, using, writeAll } from "../linux/file.js";
import { connectUnix, sendAll } from "../linux/socket.js";
import { expecting } from "../linux/syscall.js";

/** How much a message matters, the least first. */
export const LEVELS = ["debug", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Levels as the system's logs have them; syslog(3). */
const PRIORITIES: Record<Level, number> = { debug: 7, warning: 4, error: 3 };

/** Where the log goes: to a file or, as crun has it, to one of the system's logs. */
export interface LogTarget {
  /** As it was given. */
  readonly given: string;
  readonly backend: keyof typeof BACKENDS;
  /** The file's path, or the identifier that messages have. */
  readonly name: string;
}

/** Where the log goes by --log. Throws InvalidArgumentError. */
export function parseLogTarget(given: string): LogTarget {
  const [, backend = "file", name = given] = /^(file|journald|syslog):(.*)$/s.exec(given) ?? [];
  if (name === "") throw new InvalidArgumentError('not of the form "[file:]PATH", "journald:NAME" or "syslog:NAME"');
  return { given, backend: backend as LogTarget["backend"], name };
}

/** Writes a message to the log, as JSON or as text. Throws Failure. */
export function writeLog({ given, backend, name }: LogTarget, format: string, level: Level, message: string): void {
  const { write, isText, hint } = BACKENDS[backend];
  const now = new Date();
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  // JSON as containerd, docker and podman take it apart, and the text of logrus. The system's logs have their own times.
  const text =
    format === "json"
      ? JSON.stringify({ level, msg: message, time })
      : isText
        ? `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`
        : message;
  try {
    write(name, text, PRIORITIES[level], now);
  } catch (cause) {
    throw new Failure(`--log ${quote(given)}`, { cause, ...(hint !== undefined && { hint }) });
  }
}

const BACKENDS = {
  file: { write: writeToFile, isText: true, hint: undefined },
  journald: { write: writeToJournal, isText: false, hint: "does systemd-journald run?" },
  syslog: { write: writeToSyslog, isText: false, hint: "does a system log run?" },
};

function writeToFile(path: string, text: string): void {
  using(open(path, C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644), (fd) => writeAll(fd, `${text}\n`));
}

/** Sends a message by the journal's own protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. */
function writeToJournal(identifier: string, text: string, priority: number): void {
  const fields = { MESSAGE: text, PRIORITY: String(priority), SYSLOG_IDENTIFIER: identifier, ID: identifier };
  const message = concat(Object.entries(fields).map(([key, value]) => journalField(key, ffi.encode(value))));
  send("/run/systemd/journal/socket", C.SOCK_DGRAM, message);
}

/** A field with its value's length, which may have line ends then. */
const journalField = (key: string, value: Uint8Array): Uint8Array =>
  concat([ffi.encode(`${key}\n`), words(value.length), value, ffi.encode("\n")]);

/** Messages of users' processes; syslog(3). */
const LOG_USER = 8;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Sends a message to the system's log as syslog(3) does, in the form of RFC 3164 with the local time. */
function writeToSyslog(identifier: string, text: string, priority: number, time: Date): void {
  const two = (number: number, filler = "0") => String(number).padStart(2, filler);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => two(part)).join(":");
  const date = `${MONTHS[time.getMonth()]} ${two(time.getDate(), " ")} ${clock}`;
  const message = ffi.encode(`<${LOG_USER | priority}>${date} ${identifier}: ${text}`);
  const isSent = expecting([EPROTOTYPE], false, () => {
    send("/dev/log", C.SOCK_DGRAM, message);
    return true;
  });
  // Some take streams alone, where a NUL ends a message.
  if (!isSent) send("/dev/log", C.SOCK_STREAM, concat([message, new Uint8Array(1)]));
}

/** How long a log's reader may lag behind before it is given up, in seconds. */
const PATIENCE = 1;

/** Sends a message to a log's socket. */
function send(path: string, type: number, message: Uint8Array): void {
  using(connectUnix(path, type, PATIENCE), (socket) => sendAll(socket, message));
}
