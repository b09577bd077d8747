import { spawn } from "node:child_process";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import type { Place } from "./place.js";
import type { Runtime } from "./runtimes.js";
import { type Summary, summarize } from "./statistics.js";
import type { Act } from "./stopwatch.js";

/** What is measured beside the other containers: commands about one more, and the list of all. */
export const COMMANDS = ["create", "state", "list", "kill", "delete"] as const;

export type Times = Readonly<Record<(typeof COMMANDS)[number], Summary>>;

/** What a runtime's commands take as its containers grow in number. */
export interface Scale {
  readonly runtime: Runtime;
  /** In milliseconds, beside so many created containers. */
  readonly points: readonly { readonly count: number; readonly times: Times }[];
  /** How many containers are created in a second, by so many commands at once. */
  readonly throughput: readonly { readonly atOnce: number; readonly perSecond: number }[];
}

/** How often each command is measured at each count. */
const REPEATS = 9;
/** How many commands a stopwatch runs where nobody asks for the time. */
const BATCH = 50;
const AT_ONCE = [1, 2, 4, 8, 16];
/** How many containers are created to measure a throughput. */
const CREATED_AT_ONCE = 64;

/**
 * Measures a runtime at rising counts of containers, and then how many it creates in a second. All containers are gone at
 * the end.
 *
 * @param signal aborts between two measurements; then the reason is thrown
 */
export async function measureScale(
  place: Place,
  runtime: Runtime,
  counts: readonly number[],
  signal: AbortSignal,
): Promise<Scale> {
  const crowd = new Crowd(place, runtime, signal);
  try {
    const points: Scale["points"][number][] = [];
    for (const count of counts) {
      await crowd.grow(count);
      points.push({ count, times: await crowd.times() });
    }
    await crowd.shrink(0, signal);
    const throughput: Scale["throughput"][number][] = [];
    for (const atOnce of AT_ONCE) {
      throughput.push({ atOnce, perSecond: await crowd.throughput(atOnce) });
      await crowd.shrink(0, signal);
    }
    return { runtime, points, throughput };
  } finally {
    await crowd.shrink(0);
  }
}

/** Containers that have been created: c0, c1 and so on. */
class Crowd {
  private count = 0;

  constructor(
    private readonly place: Place,
    private readonly runtime: Runtime,
    private readonly signal: AbortSignal,
  ) {}

  async grow(count: number): Promise<void> {
    const more = Array.from({ length: count - this.count }, () => this.next());
    await this.inBatches(more, (id) => this.create(id), this.signal);
  }

  async shrink(count: number, signal?: AbortSignal): Promise<void> {
    const fewer = Array.from({ length: this.count - count }, (_, i) => `c${count + i}`);
    await this.inBatches(fewer, (id) => this.place.bare(this.runtime, "delete", "--force", id), signal);
    this.count = count;
  }

  /** What each command takes: about a container that is created and deleted again, or about all. */
  async times(): Promise<Times> {
    const id = "one-more";
    const about = (verb: string, ...more: string[]) => this.place.bare(this.runtime, verb, id, ...more);
    const acts: Record<(typeof COMMANDS)[number] | "end", Act> = {
      create: this.create(id),
      state: about("state"),
      list: this.place.bare(this.runtime, "list"),
      kill: about("kill", "KILL"),
      end: "orphan",
      delete: about("delete"),
    };
    const names = Object.keys(acts);
    const stopwatch = this.place.stopwatch(...Object.values(acts));
    const samples: (readonly number[])[] = [];
    for (let i = 0; i < REPEATS; i++) {
      samples.push(stopwatch.measure().each);
      await setImmediate();
      this.signal.throwIfAborted();
    }
    const summary = (name: string) => summarize(samples.map((each) => each[names.indexOf(name)]));
    return Object.fromEntries(COMMANDS.map((name) => [name, summary(name)])) as Record<string, Summary> as Times;
  }

  /** Creates containers, with so many commands at once; returns how many were created in a second. */
  async throughput(atOnce: number): Promise<number> {
    const commands = Array.from({ length: CREATED_AT_ONCE }, () => this.create(this.next()));
    const start = performance.now();
    const work = async () => {
      for (let command = commands.pop(); command !== undefined; command = commands.pop()) {
        const [status] = await once(spawn(command[0], command.slice(1), { stdio: "ignore" }), "exit");
        if (status !== 0) throw new Error(`${command.join(" ")} failed`);
        this.signal.throwIfAborted();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return (1e3 * CREATED_AT_ONCE) / (performance.now() - start);
  }

  private next(): string {
    return `c${this.count++}`;
  }

  private create(id: string): string[] {
    return this.place.bare(this.runtime, "create", "--bundle", this.place.bundle(`bundle-${id}`, { id }), id);
  }

  private async inBatches(ids: readonly string[], command: (id: string) => Act, signal?: AbortSignal): Promise<void> {
    for (let i = 0; i < ids.length; i += BATCH) {
      this.place.stopwatch(...ids.slice(i, i + BATCH).map(command)).measure();
      await setImmediate();
      signal?.throwIfAborted();
    }
  }
}
