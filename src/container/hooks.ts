import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import { ffi } from "../ffi/driver.js";
import type { Config, Hook } from "../generated/config.js";
import type { State } from "../generated/state.js";
import type { Entry, ExecutableFile } from "../init/compile-spawn.js";
import { compileInTimeNamespace } from "../init/time-namespace.js";
import type { SignalPipe } from "../launch/signal-pipe.js";
import { spawn } from "../launch/spawn.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, keeping, open, quote, readFile, readFileBytes, writeAll } from "../linux/file.js";
import { type Ending, openProcess, pollReadable, waitFor } from "../linux/process.js";
import { SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM } from "../linux/signals.js";
import { attempt, sys } from "../linux/syscall.js";
import type { Program } from "../machine/program.js";
import type { OpenedCgroups } from "./cgroups.js";
import type { Saved } from "./saved.js";
import { specState } from "./state.js";

/** The kinds of hooks, by the config's names. */
export type HookKind = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

/** What a hook is told, and where it runs. */
export interface HookSetting {
  /** The container's state, which the hook finds on its standard input (runtime.md, "State"). */
  readonly state: State;
  /**
   * Init's process, the namespaces to join, by config name, and who enters the cgroup; absent: the hook runs in the
   * runtime's.
   */
  readonly join?: { readonly pid: number; readonly types: readonly string[]; readonly enters?: Entry["enters"] };
  /** The program that comes to execute the hook, confined; absent: the hook's file is executed at once. */
  readonly confine?: (hook: Hook, from: string) => Program;
  /** Takes the listener of a filter that a confined hook has loaded, and the hook's process id. */
  readonly listen?: (listener: Fd, pid: number) => void;
  /** The container's cgroups, for a hook that is confined. */
  readonly cgroups?: OpenedCgroups;
  /** Signals that were taken from whoever might end this process by them: then they end the hook. */
  readonly signals?: SignalPipe | undefined;
  /** The process of the container that is being made: a hook is ended when that ends. */
  readonly init?: number;
}

/** Runs the hooks of a kind in order (config.md, "POSIX-platform Hooks"). Throws Failure at the first that fails. */
export function runHooks(kind: HookKind, hooks: readonly Hook[] = [], setting: HookSetting): void {
  hooks.forEach((hook, i) => {
    runHook(`hooks.${kind}[${i}]`, hook, setting);
  });
}

function runHook(from: string, hook: Hook, setting: HookSetting): void {
  const { state, join, confine, listen, cgroups, init, signals } = setting;
  const file: ExecutableFile = { path: hook.path, args: hook.args ?? [hook.path], env: hook.env ?? [] };
  const what = `${from}: ${quote(hook.path)}`;
  keeping((keep) => {
    const stdin = keep(memoryFile("state"));
    writeAll(stdin, JSON.stringify(state));
    sys("lseek", stdin, 0, C.SEEK_SET);
    const output = keep(memoryFile("output"));
    const given = (name: string): Fd | undefined => {
      const path = state.annotations?.[name];
      return path === undefined ? undefined : keep(openOutput(path, member("annotations", name)));
    };
    const named = { what: quote(hook.path), from };
    const time = join?.types.includes("time") ? keep(open(`/proc/${join.pid}/ns/time`, C.O_RDONLY)) : undefined;
    const executable = time === undefined ? file : compileInTimeNamespace(named, file);
    const pid = spawn({
      ...named,
      executable: confine?.(hook, from) ?? executable,
      streams: {
        stdin,
        stdout: given(ANNOTATIONS.hooksStdout) ?? output,
        stderr: given(ANNOTATIONS.hooksStderr) ?? output,
      },
      ...(listen && { listen }),
      ...(join !== undefined && {
        join: {
          process: keep(openProcess(join.pid)),
          types: join.types,
          ...(time !== undefined && { time }),
          enters: join.enters,
          ...(cgroups?.into !== undefined && { cgroup: cgroups.into }),
          ...(cgroups?.move && { move: cgroups.move }),
        },
      }),
      ...(cgroups !== undefined && { inputs: cgroups.inputs }),
    });
    const ending = waitForHook(pid, hook.timeout, init, signals);
    if (ending === "late") throw new Failure(what, { cause: `not done after ${hook.timeout} s, the hook's timeout` });
    if (ending === "orphaned") throw new Failure(what, { cause: "not done when the container's init was killed" });
    if ("interrupted" in ending)
      throw new Failure(what, { cause: `ended, as signal ${ending.interrupted} came to end the command` });
    if ("signal" in ending) throw new Failure(what, { cause: `killed by signal ${ending.signal}${said(output)}` });
    if (ending.status !== 0) throw new Failure(what, { cause: `exit status ${ending.status}${said(output)}` });
  });
}

/** Opens a file for what hooks put out. */
function openOutput(path: string, from: string): Fd {
  try {
    return open(path, C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644);
  } catch (cause) {
    throw new Failure(from, { cause });
  }
}

const memoryFile = (name: string): Fd => sys("memfd_create", cstring(`fdrunc-hook-${name}`), C.MFD_CLOEXEC);

/** The signals that end a command that waits for a hook, as they would if nobody had taken them. */
const ENDING: readonly number[] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/**
 * Waits for a hook. One that takes longer than its timeout, in seconds, or than init lives, or whose caller is to end,
 * is killed with its group.
 */
function waitForHook(
  pid: number,
  timeout: number | undefined,
  init: number | undefined,
  signals: SignalPipe | undefined,
): Ending | "late" | "orphaned" | { readonly interrupted: number } {
  const end = timeout === undefined ? undefined : Date.now() + timeout * 1000;
  const opened = [openProcess(pid), ...(init === undefined ? [] : [openProcess(init)])];
  const watched = signals === undefined ? opened : [...opened, signals.fd];
  const kill = () => {
    attempt("kill", -pid, SIGKILL);
    waitFor(pid);
  };
  try {
    for (;;) {
      const ready = pollReadable(watched, end === undefined ? -1 : Math.max(end - Date.now(), 0));
      if (ready.includes(opened[0])) return waitFor(pid);
      const number = signals !== undefined && ready.includes(signals.fd) ? signals.next() : undefined;
      // What else came, a resized terminal for one, is nothing to a container that does not run yet.
      if (ready.length > 0 && !ready.includes(opened[1]) && !ENDING.includes(number ?? 0)) continue;
      kill();
      if (number !== undefined && ENDING.includes(number)) return { interrupted: number };
      return ready.length === 0 ? "late" : "orphaned";
    }
  } finally {
    for (const fd of opened) close(fd);
  }
}

/** The last line of what a hook has put out, as an error's cause. */
function said(output: Fd): string {
  const text = ffi.decode(readFileBytes(`/proc/self/fd/${output}`)).trimEnd();
  const line = text.slice(text.lastIndexOf("\n") + 1).slice(-500);
  return line === "" ? "" : `: ${line}`;
}

/** The namespaces that a container has as its own or has joined, by config name. */
export const namespaceTypes = ({ linux }: Config): string[] =>
  (linux?.namespaces ?? []).map(({ type }) => type as string);

/** A process's id as the innermost of its namespaces numbers it: what hooks inside are told. proc(5), NSpid */
export function pidInside(pid: number): number {
  const ids = /^NSpid:(.*)$/m.exec(readFile(`/proc/${pid}/status`));
  return Number(ids?.[1].trim().split(/\s+/).at(-1) ?? pid);
}

/** Runs the poststop hooks; one that fails is told, and the rest run all the same. */
export function runStopHooks(saved: Saved, warn: (message: string) => void): void {
  const state = { ...specState(saved, "stopped"), pid: 0 };
  saved.hooks.poststop?.forEach((hook, i) => {
    try {
      runHook(`hooks.poststop[${i}]`, hook, { state });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      warn(error.message);
    }
  });
}
