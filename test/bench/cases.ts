import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Resources, Seccomp } from "../../src/generated/config.js";
import { ROOT } from "../folders.js";
import type { Extras, Place } from "./place.js";
import type { Runtime } from "./runtimes.js";
import { smallest } from "./statistics.js";
import type { Act } from "./stopwatch.js";

/** Something to compare runtimes by. */
export interface Case {
  readonly name: string;
  readonly title: string;
  /** What is measured at once, in order: each a row of the table. */
  readonly figures: readonly Figure[];
  /** How often to measure, if not as often as the user says. */
  readonly runs?: number;
  /** Prepares a runtime. What is returned measures once: a number for each figure. It throws Error where that fails. */
  prepare(place: Place, runtime: Runtime): () => number[];
}

export interface Figure {
  readonly title: string;
  readonly unit: "ms" | "MiB" | "KiB" | "";
}

export const CASES: readonly Case[] = [
  timed("run", "run /bin/true, default config", runs),
  timed("run-docker", "run /bin/true, docker's seccomp profile", runs, () => ({ seccomp: profile("docker") })),
  timed("run-podman", "run /bin/true, podman's seccomp profile", runs, () => ({ seccomp: profile("podman") })),
  timed("lifecycle", "create, start, delete", (command, bundle) => ({
    timed: [
      command("create", "--bundle", bundle),
      command("start"),
      // The container's own process, as an engine's shim waits for it: a runtime may only delete what has ended.
      "orphan",
      command("delete"),
    ],
  })),
  timed(
    "exec",
    "exec /bin/true in a running container",
    (command, bundle) => ({
      before: command("run", "--detach", "--bundle", bundle),
      timed: [[...command("exec"), "/bin/true"]],
      after: command("delete", "--force"),
    }),
    () => ({ args: ["/bin/sleep", "1000"] }),
  ),
  timed("state", "state of a created container", (command, bundle) => ({
    before: command("create", "--bundle", bundle),
    timed: [command("state")],
    after: command("delete", "--force"),
  })),
  {
    name: "cold",
    title: "run /bin/true, nothing in the page cache",
    figures: [{ title: "time", unit: "ms" }],
    prepare(place, runtime) {
      const { timed } = runs(commands(place, runtime), place.bundle("default"));
      const run = place.stopwatch(...timed);
      return () => {
        dropCaches();
        return [run.measure().milliseconds];
      };
    },
  },
  {
    name: "init",
    title: "a created container",
    figures: [{ title: "resident memory of init", unit: "KiB" }],
    runs: 3,
    prepare(place, runtime) {
      const pidFile = place.path("pid");
      const bundle = place.bundle("default");
      const create = place.stopwatch(place.command(runtime, "create", "--bundle", bundle, "--pid-file", pidFile));
      const remove = place.stopwatch(place.command(runtime, "delete", "--force"));
      return () => {
        create.measure();
        const resident = residentMemory(readFileSync(pidFile, "utf8"));
        remove.measure();
        return [resident];
      };
    },
  },
  limit("memory", "smallest memory limit to run /bin/true under", "KiB", 64 * 1024, 4, (kib) => ({
    memory: { limit: kib * 1024 },
  })),
  limit("pids", "smallest pids limit to run /bin/true under", "", 64, 1, (count) => ({ pids: { limit: count } })),
];

/** What a runtime does in a case. */
interface Acts {
  readonly before?: Act;
  readonly timed: readonly Act[];
  readonly after?: Act;
}

/** Gives the command line that has a runtime do something to the container. */
type Command = (verb: string, ...options: string[]) => string[];

const commands =
  (place: Place, runtime: Runtime): Command =>
  (verb, ...options) =>
    place.command(runtime, verb, ...options);

function runs(command: Command, bundle: string): Acts {
  return { timed: [command("run", "--bundle", bundle)] };
}

/** A case whose commands are timed. */
function timed(
  name: string,
  title: string,
  acts: (command: Command, bundle: string) => Acts,
  extras?: () => Extras,
): Case {
  return {
    name,
    title,
    figures: [
      { title: "time", unit: "ms" },
      { title: "peak memory of the runtime", unit: "MiB" },
    ],
    prepare(place, runtime) {
      const { before, timed, after } = acts(commands(place, runtime), place.bundle(name, extras?.()));
      const prepare = before && place.stopwatch(before);
      const stopwatch = place.stopwatch(...timed);
      const remove = after && place.stopwatch(after);
      return () => {
        prepare?.measure();
        const { milliseconds, peak } = stopwatch.measure();
        remove?.measure();
        return [milliseconds, peak / 1024];
      };
    },
  };
}

/** How often a container must run under a limit in a row for that to count. */
const TRIES = 3;

/** A case that finds the smallest limit, in steps of so many units, that a container still runs under. */
function limit(
  name: string,
  title: string,
  unit: Figure["unit"],
  from: number,
  step: number,
  resources: (limit: number) => Resources,
): Case {
  return {
    name,
    title,
    figures: [{ title: "", unit }],
    runs: 3,
    prepare(place, runtime) {
      const run = place.stopwatch(...runs(commands(place, runtime), place.bundle(name)).timed);
      let complaint: unknown;
      const works = (steps: number) => {
        place.bundle(name, { resources: resources(steps * step) });
        try {
          for (let i = 0; i < TRIES; i++) run.measure();
          return true;
        } catch (error) {
          complaint = error;
          place.clean(runtime);
          return false;
        }
      };
      return () => {
        const found = smallest(from / step, works);
        if (found === undefined) throw complaint;
        return [found * step];
      };
    },
  };
}

/** Has the kernel forget what it has read of files, once that is written: proc(5), /proc/sys/vm/drop_caches. */
function dropCaches(): void {
  spawnSync("sync");
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

/** The memory of a process that is resident, in KiB: counted page by page, where VmRSS is off by some. proc(5) */
function residentMemory(pid: string): number {
  const [, kib] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kib);
}

/** A seccomp profile as an engine writes it into config.json. */
const profile = (engine: "docker" | "podman"): Seccomp =>
  JSON.parse(readFileSync(join(ROOT, "test/bench/fixtures", `${engine}-seccomp.json`), "utf8"));
