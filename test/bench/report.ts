import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import type { Figure } from "./cases.js";
import type { Outcome } from "./compare.js";
import type { Runtime } from "./runtimes.js";
import { COMMANDS, type Scale } from "./scale.js";
import type { Summary } from "./statistics.js";

/** The conditions of a run of the bench. */
export interface Conditions {
  /** The day, as YYYY-MM-DD. */
  readonly date: string;
  readonly machine: string;
  readonly runs: number;
}

export function conditions(runs: number): Conditions {
  const [, distribution] = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? ["", "Linux"];
  const processors = `${cpus().length} × ${cpus()[0]?.model ?? "an unknown processor"}`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const machine = `${processors}, ${memory}, Linux ${release()}, ${distribution}`;
  return { date: new Date().toISOString().slice(0, 10), machine, runs };
}

/** The outcomes as JSON: all that was summarized, under the names of cases and runtimes. */
export function json(how: Conditions, runtimes: readonly Runtime[], outcomes: readonly Outcome[]): string {
  const cases = outcomes.map(({ case: { name, title, figures }, results }) => ({
    name,
    title,
    figures: figures.map((figure, row) => ({
      ...figure,
      results: Object.fromEntries(
        runtimes.map((runtime, i) => {
          const result = results[i];
          return [runtime.name, typeof result === "string" ? { refusal: result } : result[row]];
        }),
      ),
    })),
  }));
  return `${JSON.stringify({ ...how, runtimes, cases }, null, 2)}\n`;
}

/** The outcomes as a table in Markdown: medians, their confidence intervals, and the first runtime's ratio to the others. */
export function table(how: Conditions, runtimes: readonly Runtime[], outcomes: readonly Outcome[]): string {
  const [first, ...peers] = runtimes;
  const reasons: string[] = [];
  const rows = [["", ...runtimes.map(({ title }) => title), ...peers.map(({ name }) => `${first.name} : ${name}`)]];
  for (const { case: subject, results } of outcomes) {
    results.forEach((result, i) => {
      if (typeof result === "string") reasons.push(`– ${runtimes[i].title}, ${subject.title}: ${result}`);
    });
    subject.figures.forEach((figure, row) => {
      const summaries = results.map((result) => (typeof result === "string" ? undefined : result[row]));
      const [own, ...others] = summaries;
      rows.push([label(subject.title, figure), ...summaries.map(cell), ...others.map((other) => ratio(own, other))]);
    });
  }
  const notes = reasons.length > 0 ? `\n${reasons.join("\n")}\n` : "";
  return `${how.date}, ${how.machine}; medians (and their 95 % confidence intervals) of ${how.runs} runs in turn:\n
${aligned(rows)}${notes}`;
}

/** What came of rising counts of containers as tables in Markdown: medians in milliseconds, and containers in a second. */
export function scaleTables(scales: readonly Scale[]): string {
  const rows = [["", ...scales.map(({ runtime: { title } }) => title)]];
  for (const command of COMMANDS)
    scales[0].points.forEach(({ count }, i) => {
      rows.push([`${command} beside ${count} (ms)`, ...scales.map(({ points }) => cell(points[i].times[command]))]);
    });
  scales[0].throughput.forEach(({ atOnce }, i) => {
    rows.push([
      `created in a second, ${atOnce} at once`,
      ...scales.map(({ throughput }) => rounded(throughput[i].perSecond)),
    ]);
  });
  return aligned(rows);
}

const label = (title: string, { title: figure, unit }: Figure): string =>
  `${title}${figure && `: ${figure}`}${unit && ` (${unit})`}`;

/**
 * A document with a new report between the two comments that say where it goes. Throws Error without them.
 * @param name what the bench is called in the comment at the end
 */
export function inDocument(document: string, report: string, name = "bench"): string {
  const end = document.indexOf(`<!-- end of the ${name} -->`);
  const start = document.lastIndexOf("<!-- Written by: npm run bench", end);
  const from = document.indexOf("\n", start) + 1;
  if (start < 0 || end < from) throw new Error("there is no place for the report");
  return `${document.slice(0, from)}${report}\n${document.slice(end)}`;
}

/** A median, with its interval where that is not the same. */
export function cell(summary: Summary | undefined): string {
  if (summary === undefined) return "–";
  const [median, low, high] = [summary.median, summary.low, summary.high].map(rounded);
  return low === high ? median : `${median} (${low}–${high})`;
}

export const ratio = (own: Summary | undefined, other: Summary | undefined): string =>
  own === undefined || other === undefined ? "–" : rounded(own.median / other.median);

/** A number with three significant digits; whole numbers whole. */
const rounded = (value: number): string =>
  Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toPrecision(3);

/** Rows, the first of them headings, as a table in Markdown that can be read as it is. */
export function aligned(rows: readonly string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join(" | ")} |\n`;
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [rows[0], rule, ...rows.slice(1)].map(line).join("");
}
