import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Resources, Seccomp } from "../../src/generated/config.js";
import { ROOT } from "../folders.js";
import type { Place } from "./place.js";
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

const TIME_AND_PEAK: readonly Figure[] = [
  { title: "time", unit: "ms" },
  { title: "peak memory of the runtime", unit: "MiB" },
];

export const CASES: readonly Case[] = [
  timed("run", "run /bin/true, default config", runs),
  timed("run-docker", "run /bin/true, docker's seccomp profile", runs, () => profile("docker")),
  timed("run-podman", "run /bin/true, podman's seccomp profile", runs, () => profile("podman")),
  timed("lifecycle", "create, start, delete", (place, runtime, bundle) => [
    place.command(runtime, "create", "--bundle", bundle),
    place.command(runtime, "start"),
    // The container's own process, as an engine's shim waits for it: a runtime may only delete what has ended.
    "orphan",
    place.command(runtime, "delete"),
  ]),
  {
    name: "exec",
    title: "exec /bin/true in a running container",
    figures: TIME_AND_PEAK,
    prepare(place, runtime) {
      const bundle = place.bundle("exec", { args: ["/bin/sleep", "1000"] });
      const start = place.stopwatch(place.command(runtime, "run", "--detach", "--bundle", bundle));
      const exec = place.stopwatch([...place.command(runtime, "exec"), "/bin/true"]);
      const remove = place.stopwatch(place.command(runtime, "delete", "--force"));
      return () => {
        start.measure();
        const { milliseconds, peak } = exec.measure();
        remove.measure();
        return [milliseconds, peak / 1024];
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

function runs(place: Place, runtime: Runtime, bundle: string): Act[] {
  return [place.command(runtime, "run", "--bundle", bundle)];
}

/** A case whose commands are timed. */
function timed(
  name: string,
  title: string,
  acts: (place: Place, runtime: Runtime, bundle: string) => Act[],
  seccomp?: () => Seccomp,
): Case {
  return {
    name,
    title,
    figures: TIME_AND_PEAK,
    prepare(place, runtime) {
      const bundle = place.bundle(name, seccomp && { seccomp: seccomp() });
      const stopwatch = place.stopwatch(...acts(place, runtime, bundle));
      return () => {
        const { milliseconds, peak } = stopwatch.measure();
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
      const run = place.stopwatch(...runs(place, runtime, place.bundle(name)));
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

/** The memory of a process that is resident, in KiB: counted page by page, where VmRSS is off by some. proc(5) */
function residentMemory(pid: string): number {
  const [, kib] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kib);
}

/** A seccomp profile as an engine writes it into config.json. */
const profile = (engine: "docker" | "podman"): Seccomp =>
  JSON.parse(readFileSync(join(ROOT, "test/bench/fixtures", `${engine}-seccomp.json`), "utf8"));
