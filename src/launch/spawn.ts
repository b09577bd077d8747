import { ffi } from "../ffi/driver.js";
import { compileSpawn, type Entry, type ExecutableFile, type Named } from "../init/compile-spawn.js";
import { input } from "../init/facts.js";
import { C } from "../linux/constants.js";
import { close, type Fd, using } from "../linux/file.js";
import { waitFor } from "../linux/process.js";
import { ignoringNone, SIGKILL } from "../linux/signals.js";
import { receive, socketPair } from "../linux/socket.js";
import { attempt, must, sys } from "../linux/syscall.js";
import { elf } from "../machine/elf.js";
import { type Program, REPORT_SIZE } from "../machine/program.js";
import { stepCount, stepOf } from "../machine/steps.js";
import { createExecutable } from "./executable.js";
import { failureOf, numberOf, said } from "./init.js";
import { madeProcess } from "./made-process.js";
import { placeProgram } from "./native.js";

/** What a program beside the container's own is started with. */
export interface Spawn extends Named {
  /** A file to execute, or a compiled program that comes to execute one. */
  readonly executable: ExecutableFile | Program;
  /** Its standard streams; without, it keeps this process's. */
  readonly streams?: { readonly stdin: Fd; readonly stdout: Fd; readonly stderr: Fd };
  /** Takes the listener of a filter that a compiled program loads, and the process id. Throws Failure. */
  readonly listen?: (listener: Fd, pid: number) => void;
  /**
   * The process whose namespaces to join, and which, by config name; a time namespace as a descriptor, which only a
   * compiled program can join; the directory of the cgroup v2 to start in, and who does; or what moves a process there,
   * by its id.
   */
  readonly join?: {
    readonly process: Fd;
    readonly types: readonly string[];
    readonly time?: Fd;
    readonly cgroup?: Fd;
    readonly enters?: Entry["enters"];
    readonly move?: (pid: number) => void;
  };
  /** Descriptors for the compiled program's slots, by the slots' names. */
  readonly inputs?: Readonly<Record<string, Fd>>;
}

/** Starts a program as a child of this process. Returns its process id. Throws Failure where it cannot be executed. */
export function spawn({ executable, streams, listen, join, inputs = {}, ...named }: Spawn): number {
  const compiled = "parts" in executable ? executable : undefined;
  const joined = join?.types.filter((type) => type !== "time") ?? [];
  const launcher = compileSpawn(
    named,
    "parts" in executable ? "program" : executable,
    join && { joined, enters: join.enters, isMoved: join.move !== undefined },
    streams === undefined ? "the runtime's" : "its own",
  );
  const programs = compiled === undefined ? [launcher] : [launcher, compiled];
  const [ours, theirs] = socketPair();
  const pid = new Uint8Array(8);
  let started: number;
  try {
    const slots: Record<string, number> = { report: theirs, context: -1, ...streams };
    slots["pid-address"] = ffi.addressOf(pid);
    if (join !== undefined && joined.length > 0) slots.process = join.process;
    if (join?.cgroup !== undefined) slots.cgroup = join.cgroup;
    if (compiled !== undefined) {
      const time = join?.time !== undefined && { [input.namespace("time")]: join.time };
      slots.program = fileOf(compiled, stepCount(launcher) + 1, { ...inputs, ...time, sync: theirs, report: theirs });
    }
    const start = placeProgram(launcher, slots);
    started = ignoringNone(() => ffi.call(start));
  } finally {
    close(theirs);
  }
  try {
    must("clone3", `start ${named.what}`, started);
    const id = madeProcess(started, pid);
    try {
      heed(id, ours, programs, { join, listen });
      return id;
    } catch (error) {
      if (id > 0) {
        attempt("kill", id, SIGKILL);
        waitFor(id);
      }
      throw error;
    }
  } finally {
    close(ours);
  }
}

/** The file of a compiled program, whose steps count from `first` on. It inherits the descriptors in `slots`. */
function fileOf(program: Program, first: number, slots: Readonly<Record<string, Fd>>): Fd {
  for (const name in slots) attempt("fcntl", slots[name], C.F_SETFD, 0);
  const file = createExecutable();
  file.write(elf(program, ffi.arch, { ...slots, context: -1 }, first));
  return file.fd;
}

/**
 * Answers a process until it has executed what it comes to execute, which closes its end of the socket. Throws Failure
 * where it reports why not.
 */
function heed(id: number, socket: Fd, programs: readonly Program[], { join, listen }: Pick<Spawn, "join" | "listen">) {
  for (;;) {
    const packet = receive(socket, REPORT_SIZE);
    if (packet.bytes.length === 0) return;
    if (packet.bytes.length >= REPORT_SIZE) throw failureOf(stepOf(programs, numberOf(packet.bytes)), packet.bytes);
    const { message, fd } = said(id, packet);
    if (message === "isolated") join?.move?.(id);
    if (fd !== undefined) using(fd, (listener) => listen?.(listener, id));
    sys("sendto", socket, new Uint8Array(1), 1, C.MSG_NOSIGNAL, null, 0);
  }
}
