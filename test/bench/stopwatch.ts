import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { ffi } from "../../src/ffi/driver.js";
import { Builder, flags, slot, text } from "../../src/init/builder.js";
import { viewOf } from "../../src/linux/bytes.js";
import { elf } from "../../src/machine/elf.js";
import type { Program } from "../../src/machine/program.js";

/** A command line to run to its end; or "orphan": the wait for the end of a process that a command has left behind. */
export type Act = readonly string[] | "orphan";

/** What acts took, from before the first to after the last, and the largest process among the commands. */
export interface Measured {
  readonly milliseconds: number;
  /** What each act took, in milliseconds. */
  readonly each: readonly number[];
  /** Its resident memory at its peak, in KiB. */
  readonly peak: number;
}

const CLOCK_MONOTONIC = 1;
const SIGCHLD = 17;
const RESULT = 3;
/** struct timespec, a wait status in a word of its own, struct rusage; getrusage(2). */
const [TIMESPEC, STATUS, RUSAGE] = [16, 8, 144];
const MAXRSS = 32;
/** What an act results in: status, usage, and the time after it. */
const RESULT_SIZE = STATUS + RUSAGE + TIMESPEC;

/**
 * Measures commands from close by: the acts are compiled to an executable of a few KiB, which starts the commands,
 * reads the clock and asks the kernel for their peak memory. Node, which is large, would count its own start of a
 * process as theirs: both its time, and its memory, which a new process begins with.
 */
export class Stopwatch {
  private readonly result: string;
  private readonly errors: string;

  /** @param executable where to put the executable, and its output beside it */
  constructor(
    private readonly executable: string,
    private readonly acts: readonly Act[],
  ) {
    [this.result, this.errors] = [`${executable}.result`, `${executable}.errors`];
    const inputs = { report: RESULT, context: -1 };
    writeFileSync(executable, elf(compile(acts), ffi.arch, inputs, 1), { mode: 0o755 });
    for (const file of [this.result, this.errors]) writeFileSync(file, "");
  }

  /** Goes through the acts once. Throws Error with the last line that a command which failed has put out. */
  measure(): Measured {
    for (const file of [this.result, this.errors]) truncateSync(file);
    const fds = [openSync(this.errors, "a"), openSync(this.result, "a")];
    const { status } = spawnSync(this.executable, { stdio: ["ignore", "ignore", ...fds] });
    for (const fd of fds) closeSync(fd);
    const bytes = readFileSync(this.result);
    const view = viewOf(bytes);
    if (status !== 0 || bytes.length !== TIMESPEC + this.acts.length * RESULT_SIZE)
      throw new Error(this.complaint() ?? "the stopwatch has failed");
    const time = (at: number) => 1e3 * view.getInt32(at, true) + view.getInt32(at + 8, true) / 1e6;
    const times = [time(0)];
    let peak = 0;
    this.acts.forEach((act, i) => {
      const at = TIMESPEC + i * RESULT_SIZE;
      times.push(time(at + STATUS + RUSAGE));
      if (act === "orphan") return;
      const ended = view.getInt32(at, true);
      if (ended !== 0) throw new Error(this.complaint() ?? `wait status ${ended} of ${act.join(" ")}`);
      peak = Math.max(peak, view.getInt32(at + STATUS + MAXRSS, true));
    });
    const each = this.acts.map((_, i) => times[i + 1] - times[i]);
    return { milliseconds: times[this.acts.length] - times[0], each, peak };
  }

  private complaint(): string | undefined {
    return readFileSync(this.errors, "utf8").trim().split("\n").at(-1) || undefined;
  }
}

function compile(acts: readonly Act[]): Program {
  const b = new Builder();
  const results: [at: { at: string }, size: number][] = [];
  const result = (name: string, size: number) => {
    const at = b.buffer(name, size);
    results.push([at, size]);
    return at;
  };
  b.about("prepare");
  b.call("close_range", [RESULT, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
  b.call("prctl", [flags("PR_SET_CHILD_SUBREAPER"), 1, 0, 0, 0]);
  b.call("clock_gettime", [CLOCK_MONOTONIC, result("before", TIMESPEC)]);
  acts.forEach((act, i) => {
    const child = `child:${i}`;
    if (act === "orphan") b.store(-1, child);
    else start(b, act, child);
    b.about("wait for a process to end");
    const status = result(`status:${i}`, STATUS);
    b.call("wait4", [slot(child), status, flags("__WALL"), result(`rusage:${i}`, RUSAGE)]);
    b.call("clock_gettime", [CLOCK_MONOTONIC, result(`after:${i}`, TIMESPEC)]);
  });
  b.about("tell the result");
  for (const [at, size] of results) b.call("write", [RESULT, at, size]);
  return b.finish();
}

/** Starts a command, as process id in slot `into`. */
function start(b: Builder, command: readonly string[], into: string): void {
  b.about(`start ${command.join(" ")}`);
  const [child, started] = [b.label(), b.label()];
  b.call("clone", [{ flags: "CLONE_VM|CLONE_VFORK", plus: SIGCHLD }, 0, 0], { into, zero: child });
  b.jump(started);
  b.bind(child);
  b.call("execve", [text(command[0]), { strings: command }, { strings: [`PATH=${process.env.PATH}`] }]);
  b.bind(started);
}
