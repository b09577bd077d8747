import { words } from "./bytes.js";
import { readFile } from "./file.js";
import { attempt } from "./syscall.js";

/** Signal numbers of x86-64 and aarch64 (signal(7)). */
const NUMBERS: Record<string, number> = Object.fromEntries(
  (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG " +
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
  )
    .split(" ")
    .map((name, i) => [name, i + 1]),
);
const ALIASES: Record<string, number> = { IOT: 6, CLD: 17, POLL: 29 };
const [SIGRTMIN, SIGRTMAX] = [34, 64];

/** The number of a signal given as "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3", and "0", which only looks; undefined where there is none. */
export function signalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number <= SIGRTMAX ? number : undefined;
  }
  const plain = name.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(plain);
  if (realtime === null) return NUMBERS[plain] ?? ALIASES[plain];
  const base = realtime[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
  const number = base + (realtime[2] === "-" ? -1 : 1) * Number(realtime[3] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

/**
 * Runs `start`, which starts a process, with no signal ignored: a new process goes on to ignore what its maker ignores,
 * also what that was told to ignore itself. sigaction(2), execve(2)
 */
export function ignoringNone<T>(start: () => T): T {
  const SIG_IGN = 1;
  const ignored = ignoredSignals();
  for (const number of ignored) attempt("rt_sigaction", number, words(0, 0, 0, 0), null, 8);
  try {
    return start();
  } finally {
    for (const number of ignored) attempt("rt_sigaction", number, words(SIG_IGN, 0, 0, 0), null, 8);
  }
}

const LABEL = "\nSigIgn:\t";

/** The signals that this process ignores. proc(5), /proc/pid/status */
function ignoredSignals(): number[] {
  const status = readFile("/proc/self/status");
  const at = status.indexOf(LABEL) + LABEL.length;
  const mask = BigInt(`0x${status.slice(at, status.indexOf("\n", at))}`);
  return mask === 0n
    ? []
    : Array.from({ length: SIGRTMAX }, (_, i) => i + 1).filter((n) => (mask >> BigInt(n - 1)) & 1n);
}

export const [SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH] = [1, 2, 3, 9, 15, 17, 28];
