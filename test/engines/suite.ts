import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MISSING } from "../system/harness.js";
import { Place } from "./place.js";
import { RUNTIMES, type Runtime } from "./runtime.js";
import type { Row } from "./table.js";

/** An engine that runs in a place of its own. */
export interface Engine {
  readonly place: Place;
  /** Its name and version: "containerd 1.6.20". */
  readonly title: string;
  /** Removes all containers, also after a failure. */
  tidy(): void | Promise<void>;
}

/** A row of the table. */
export interface Feature<E> {
  readonly name: string;
  /** What it needs that is not here, with the word "needs"; undefined where it can be tried. */
  readonly missing?: () => string | undefined;
  /** Has the engine use it with a runtime. Throws where that does not work. */
  readonly run: (engine: E, runtime: Runtime) => void | Promise<void>;
}

/** Whether what is repeated is so often enough to meet what is rare, for hours. */
export const LONG: boolean = process.env.FDRUNC_ENGINES_LONG !== undefined;

/** Where the rows are written to, for the README; see table.ts. */
const { FDRUNC_ENGINES_TABLE: TABLES } = process.env;

/**
 * Tests of an engine, in one place that all share: one for each feature, first with runc, then with fdrunc. Where fdrunc
 * fails the test does; a failure of runc alone is told.
 *
 * @param programs what must be installed
 * @returns the engine, for further tests
 */
export function suite<E extends Engine>(
  name: string,
  programs: readonly string[],
  open: (place: Place) => Promise<E>,
  features: readonly Feature<E>[],
): { missing: string | false; engine(): E } {
  const missing = MISSING || missingProgram([...programs, ...RUNTIMES.map(({ path }) => path)]);
  const rows: Row[] = [];
  let engine: E;
  let place: Place | undefined;
  if (!missing) {
    before(async () => {
      place = await Place.open();
      engine = await open(place);
    });
    after(async () => {
      await place?.close();
      if (TABLES) writeFileSync(join(TABLES, `${name}.json`), JSON.stringify({ title: engine.title, rows }));
    });
  }
  for (const { name: feature, missing: lacking, run } of features)
    test(`${name}: ${feature}`, { skip: missing }, async (t) => {
      const why = lacking?.();
      if (why) return t.skip(why);
      const failures = new Map<string, unknown>();
      for (const runtime of RUNTIMES) {
        try {
          await run(engine, runtime);
        } catch (error) {
          failures.set(runtime.name, error);
        } finally {
          await engine.tidy();
        }
      }
      rows.push({ feature, runc: !failures.has("runc"), fdrunc: !failures.has("fdrunc") });
      const [runc, fdrunc] = RUNTIMES.map((runtime) => failures.get(runtime.name));
      if (runc) t.diagnostic(`with runc: ${(runc as Error).message}`);
      if (fdrunc) throw fdrunc;
    });
  return { missing, engine: () => engine };
}

function missingProgram(programs: readonly string[]): string | false {
  const directories = (process.env.PATH ?? "").split(":");
  const isThere = (program: string) => directories.some((directory) => existsSync(join(directory, program)));
  const absent = programs.find((program) => !(program.startsWith("/") ? existsSync(program) : isThere(program)));
  return absent !== undefined && `needs ${absent}`;
}

/** Waits until an engine answers, half a minute at most. Throws with what its log says then. */
export async function answers(check: () => boolean, log: string): Promise<void> {
  for (const end = Date.now() + 30_000; !check(); await new Promise((resolve) => setTimeout(resolve, 50)))
    if (Date.now() > end) throw new Error(`the engine does not answer: ${readFileSync(log, "utf8")}`);
}

/** What a command that wants a terminal puts out on one. */
export const onTerminal = (place: Place, command: readonly string[]): string =>
  succeeds(place.run(["script", "--quiet", "--return", `--command=${command.map(quoted).join(" ")}`, "/dev/null"]));

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Asserts that a command went well. Returns what it put out. */
export function succeeds({
  status,
  stdout,
  stderr,
}: {
  status: number | null;
  stdout: string;
  stderr: string;
}): string {
  assert.equal(status, 0, `status ${status}: ${stderr}${stdout}`);
  return stdout;
}
