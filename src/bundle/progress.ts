import { mebibytes } from "./mebibytes.js";

/** How long work takes before anything is shown, and between changes of what is, in milliseconds. */
const DELAY = 1000;
const INTERVAL = 100;

/** A line on a terminal that shows how far long work is, rewritten in place. Quick work leaves no trace. */
export class Progress {
  private readonly started = Date.now();
  private what = "";
  private total = 0;
  private done = 0;
  private shown = 0;

  /** @param write takes what goes to the terminal; undefined where there is none */
  constructor(private readonly write: ((text: string) => void) | undefined) {}

  begin(what: string, total: number): void {
    this.what = what;
    this.total = total;
    this.done = 0;
  }

  advance(bytes: number): void {
    this.done += bytes;
    const now = Date.now();
    if (this.write === undefined || now - this.started < DELAY || now - this.shown < INTERVAL) return;
    this.shown = now;
    const share = this.total > 0 ? `, ${Math.min(100, Math.floor((100 * this.done) / this.total))} %` : "";
    this.write(`\r\x1b[K${this.what}: ${mebibytes(this.done)}${share}`);
  }

  /** Takes the line away, before anything else is written. */
  clear(): void {
    if (this.shown > 0) this.write?.("\r\x1b[K");
    this.shown = 0;
  }
}
