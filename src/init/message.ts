import { words } from "../linux/bytes.js";
import { type Builder, slot } from "./builder.js";

/** What init tells the runtime process, each as a 64-bit word in one packet. A failure's report is longer. */
export const MESSAGES = {
  /** Carries the directory to copy from; "copy-up-target" follows. */
  "copy-up-source": 1,
  /** Carries the file system to copy to. */
  "copy-up-target": 2,
  /** All is mounted, the root not yet changed: hooks run now. */
  mounted: 3,
  /** Carries the terminal's controlling end. */
  terminal: 4,
  /** All that can be done before `start` is done. */
  ready: 5,
  /** `start` was called: startContainer hooks run now. */
  starting: 6,
  /** The filter is loaded; with the number that its listener's descriptor has in the process. */
  listener: 7,
  /** It is in all of its namespaces: network devices are moved in now, or it, or a hook, to another cgroup. */
  isolated: 8,
} as const;

export type Message = keyof typeof MESSAGES;

/** Sends a message to the socket in a slot. */
export function send(b: Builder, message: Message, to = "sync"): void {
  b.slot(to);
  b.call("write", [slot(to), { bytes: words(MESSAGES[message]), shown: message }, 8]);
}

/** Sends a message along with the descriptor in slot `fd`, as unix(7) has it. */
export function sendDescriptor(b: Builder, message: Message, fd: string, to = "sync"): void {
  const [SOL_SOCKET, SCM_RIGHTS] = [1n, 1n];
  const name = `message:${message}`;
  const rights = b.struct(`${name}:rights`, [20, SOL_SOCKET | (SCM_RIGHTS << 32n), { place: `${name}:fd` }]);
  b.slot(to);
  b.store(slot(fd), `${name}:fd`);
  const vector = { struct: [{ bytes: words(MESSAGES[message]), shown: message }, 8] };
  b.call("sendmsg", [slot(to), { struct: [0, 0, vector, 1, rights, 24, 0] }, 0]);
}

/** Sends a message along with the number of the descriptor in slot `fd`, which the runtime takes out by itself. */
export function sendNumber(b: Builder, message: Message, fd: string, to = "sync"): void {
  const name = `message:${message}`;
  const content = b.struct(name, [MESSAGES[message], { place: `${name}:fd` }]);
  b.slot(to);
  b.store(slot(fd), `${name}:fd`);
  b.call("write", [slot(to), content, 16]);
}

/** Waits for the runtime's word on a socket. Its end is an error: a container is not left half made. */
export function wait(b: Builder, on = "sync"): void {
  b.slot(on);
  b.call("read", [slot(on), b.buffer("word", 8), 8], { zero: "fail" });
}
