import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { atOnce } from "./at-once.js";
import type { Place } from "./place.js";
import { RUNTIMES, type Runtime } from "./runtime.js";
import { type Engine, LONG, succeeds } from "./suite.js";

const [RUNC, FDRUNC] = RUNTIMES;

/** What the tests have an engine do. */
export interface Subject<E extends Engine> {
  readonly name: string;
  /** Where it keeps something for each container, beside processes, mounts, network interfaces and cgroups. */
  directories(engine: E): readonly string[];
  /** The command line that runs a program to its end, and removes the container. */
  run(engine: E, runtime: Runtime, id: string, ...program: string[]): string[];
  /** That which leaves a container behind that sleeps. */
  detach(engine: E, runtime: Runtime, id: string): string[];
  /** That which runs a program in a container beside. */
  exec(engine: E, id: string, ...program: string[]): string[];
  /** Those that remove a container, however far it is. */
  remove(engine: E, id: string): string[][];
  /** Removes what the engine loses sight of by such deaths, with runc as well; returns how much that was. */
  removeUnknown?(engine: E): number;
  /** Kills the engine and starts it again. */
  restart(engine: E): Promise<void>;
}

/** A runtime's path under which fdrunc is killed by chance. */
export const killed = (place: Place): Runtime => ({ name: "killed", path: place.path("killed") });

/**
 * Writes it: one call in four ends after some milliseconds, which may be less or more than it takes. Only what engines
 * clean up with is spared: they do that once.
 */
export function writeKilled({ path }: Runtime): void {
  const spared = `case "$*" in *"delete --force"*) exec ${FDRUNC.path} "$@" ;; esac`;
  const chance = `n=$(od -An -N2 -tu2 /dev/urandom); if [ $((n % 4)) = 0 ]; then`;
  const limit = `exec timeout -s KILL $(printf 0.%04d $((n % 600))) ${FDRUNC.path} "$@"; fi`;
  writeFileSync(path, `#!/bin/sh\n${spared}\n${chance} ${limit}\nexec ${FDRUNC.path} "$@"\n`, { mode: 0o755 });
}

/** Tests of many containers, and of what is left when programs are killed. */
export function loadTests<E extends Engine>(
  { name, directories, run, detach, exec, remove, removeUnknown, restart }: Subject<E>,
  skip: string | false,
  engineOf: () => E,
): void {
  // The engine's own processes are others when it has been started again.
  const census = (engine: E): string[] =>
    engine.place.census(directories(engine)).filter((line) => !/^process \d+: (dockerd|containerd)\b(?!-)/.test(line));

  const short = LONG ? 1000 : 24;
  test(`${name}: ${short} short containers, 8 at a time`, { skip }, async () => {
    const engine = engineOf();
    succeeds(engine.place.run(run(engine, FDRUNC, "first", "true")));
    const before = census(engine);
    await atOnce(8, short, async (i) => {
      const command = run(engine, FDRUNC, `short-${i}`, "sh", "-c", `echo ${i}; exit ${i % 256}`);
      const { status, stdout } = await engine.place.start(command, { input: "" }).ended;
      assert.deepEqual({ status, stdout }, { status: i % 256, stdout: `${i}\n` });
    });
    await settles(() => census(engine), before);
  });

  const together = LONG ? 100 : 16;
  test(`${name}: ${together} containers at once`, { skip }, async () => {
    const engine = engineOf();
    const before = census(engine);
    const all = async (command: (id: string) => string[]) =>
      atOnce(8, together, async (i) => {
        succeeds(await engine.place.start(command(`together-${i}`), { input: "" }).ended);
      });
    try {
      await all((id) => detach(engine, FDRUNC, id));
      await all((id) => exec(engine, id, "true"));
    } finally {
      await engine.tidy();
    }
    await settles(() => census(engine), before);
  });

  const kills = LONG ? 100 : 5;
  const attacks: Record<string, (engine: E) => Promise<void>> = {
    async shim(engine) {
      const others = new Set(engine.place.processes().map(({ pid }) => pid));
      const { ended } = engine.place.start(run(engine, FDRUNC, "victim", "sleep", "1000"), { input: "" });
      await killWhenThere(engine.place, /containerd-shim-runc-v2 .*-id/, others);
      for (const command of remove(engine, "victim")) engine.place.run(command);
      await ended;
    },
    async engine(engine) {
      const { ended } = engine.place.start(detach(engine, FDRUNC, "victim"), { input: "" });
      await pause(Math.random() * 500);
      await restart(engine);
      await ended;
    },
    async fdrunc(engine) {
      const runtime = killed(engine.place);
      writeKilled(runtime);
      engine.place.run(detach(engine, runtime, "victim"));
    },
  };
  for (const [victim, attack] of Object.entries(attacks))
    test(`${name}: ${kills} times ${victim} is killed, and no container is lost or left`, { skip }, async (t) => {
      const engine = engineOf();
      try {
        succeeds(engine.place.run(detach(engine, FDRUNC, "stays")));
        const before = census(engine);
        let unknown = 0;
        for (let i = 0; i < kills; i++) {
          await attack(engine);
          await settles(() => {
            for (const command of remove(engine, "victim")) engine.place.run(command);
            unknown += removeUnknown?.(engine) ?? 0;
            return census(engine);
          }, before);
          succeeds(engine.place.run(exec(engine, "stays", "true")));
        }
        if (removeUnknown) t.diagnostic(`${unknown} things that the engine had lost sight of were removed`);
      } finally {
        await engine.tidy();
      }
    });
}

/**
 * Measures `docker run` and the like, and asserts that by medians they take at most so many times as long with fdrunc as
 * with runc; more is allowed where few runs differ by chance.
 */
export function speedTest<E extends Engine>(
  { name, run }: Subject<E>,
  most: number,
  skip: string | false,
  engineOf: () => E,
): void {
  const rounds = LONG ? 100 : 20;
  test(`${name}: the time of ${rounds} runs, with fdrunc and with runc in turn`, { skip }, (t) => {
    const engine = engineOf();
    const times = new Map([FDRUNC, RUNC].map((runtime) => [runtime, [] as number[]]));
    for (let i = 0; i < rounds; i++)
      for (const [runtime, list] of times) {
        const start = process.hrtime.bigint();
        succeeds(engine.place.run(run(engine, runtime, `timed-${i}`, "true")));
        list.push(Number(process.hrtime.bigint() - start) / 1e6);
      }
    const [fdrunc, runc] = [...times.values()].map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
    t.diagnostic(`medians in ms: fdrunc ${fdrunc.toFixed(1)}, runc ${runc.toFixed(1)}: ${(fdrunc / runc).toFixed(3)}`);
    assert.ok(fdrunc <= (LONG ? most : most + 0.2) * runc, `${fdrunc} ms with fdrunc, ${runc} ms with runc`);
  });
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits for processes with such a command beside those given, some more time, and kills them. */
async function killWhenThere(place: Place, pattern: RegExp, others: ReadonlySet<number>): Promise<void> {
  const find = () => place.processes().filter(({ pid, command }) => !others.has(pid) && pattern.test(command));
  for (const end = Date.now() + 10_000; find().length === 0 && Date.now() < end; ) await pause(5);
  await pause(Math.random() * 400);
  for (const { pid } of find()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** Asserts that nothing is there that was not before; what ends by itself is given half a minute. */
async function settles(census: () => string[] | Promise<string[]>, before: readonly string[]): Promise<void> {
  const more = async () => (await census()).filter((line) => !before.includes(line));
  for (const end = Date.now() + 30_000; (await more()).length > 0 && Date.now() < end; ) await pause(50);
  assert.deepEqual(await more(), []);
}
