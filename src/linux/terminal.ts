import { viewOf } from "./bytes.js";
import { C } from "./constants.js";
import type { Fd } from "./file.js";
import { attempt, sys } from "./syscall.js";

/** Bits of the kernel's struct termios that raw mode clears and sets, as cfmakeraw(3) does. */
const INPUT = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
const OUTPUT = 0o1; // OPOST
const LOCAL = 0o1 | 0o2 | 0o10 | 0o100 | 0o100000; // ISIG ICANON ECHO ECHONL IEXTEN
const CONTROL = 0o60 | 0o400; // CSIZE PARENB
const CS8 = 0o60;

/** Whether a descriptor is a terminal. */
export const isTerminal = (fd: Fd): boolean => attempt("ioctl", fd, C.TCGETS, new Uint8Array(64)) >= 0;

/** Puts a terminal in raw mode. Returns what undoes it. ioctl_tty(2) */
export function makeRaw(fd: Fd): () => void {
  const settings = new Uint8Array(64);
  sys("ioctl", fd, C.TCGETS, settings);
  const before = settings.slice();
  const view = viewOf(settings);
  const change = (at: number, clear: number, set = 0) =>
    view.setUint32(at, (view.getUint32(at, true) & ~clear) | set, true);
  change(0, INPUT);
  change(4, OUTPUT);
  change(8, CONTROL, CS8);
  change(12, LOCAL);
  sys("ioctl", fd, C.TCSETS, settings);
  return () => void attempt("ioctl", fd, C.TCSETS, before);
}

/** Gives a terminal the size of another; where that has none, nothing happens. */
export function copySize(from: Fd, to: Fd): void {
  const size = new Uint8Array(8);
  if (attempt("ioctl", from, C.TIOCGWINSZ, size) >= 0) attempt("ioctl", to, C.TIOCSWINSZ, size);
}
