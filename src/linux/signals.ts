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

/** The number of a signal given as "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3"; undefined where there is none. */
export function signalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number >= 1 && number <= SIGRTMAX ? number : undefined;
  }
  const plain = name.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(plain);
  if (realtime === null) return NUMBERS[plain] ?? ALIASES[plain];
  const base = realtime[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
  const number = base + (realtime[2] === "-" ? -1 : 1) * Number(realtime[3] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

export const [SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH] = [1, 2, 9, 15, 17, 28];
