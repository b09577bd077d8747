/** What a feature came to with each runtime. */
export interface Row {
  readonly feature: string;
  readonly runc: boolean;
  readonly fdrunc: boolean;
}

/** What a suite came to. */
export interface Part {
  /** The engine's name and version. */
  readonly title: string;
  readonly rows: readonly Row[];
}

const START = "<!-- Written by: npm run test:engines -- --readme -->\n";
const END = "<!-- end of the engines -->";

/**
 * A document with a new table between the two comments that say where it goes. Throws Error without them.
 *
 * @param keepsOthers whether rows of engines that are not among the parts stay
 */
export function inDocument(document: string, parts: readonly Part[], keepsOthers: boolean): string {
  const [from, to] = [document.indexOf(START) + START.length, document.indexOf(END)];
  if (from < START.length || to < from) throw new Error("there is no place for the table of engines");
  const titles = new Set(parts.map(({ title }) => title));
  const others = keepsOthers ? partsIn(document.slice(from, to)).filter(({ title }) => !titles.has(title)) : [];
  const all = [...others, ...parts].sort((a, b) => (a.title < b.title ? -1 : 1));
  return `${document.slice(0, from)}${table(all)}\n${document.slice(to)}`;
}

/** What a table tells, read back. */
function partsIn(text: string): Part[] {
  const parts = new Map<string, Row[]>();
  for (const line of text.split("\n").slice(2).filter(Boolean)) {
    const [title, feature, runc, fdrunc] = line
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.trim());
    const rows = parts.get(title) ?? [];
    parts.set(title, [...rows, { feature, runc: runc === "yes", fdrunc: fdrunc === "yes" }]);
  }
  return [...parts].map(([title, rows]) => ({ title, rows }));
}

/** The rows of all parts as a table in Markdown that can be read as it is. */
function table(parts: readonly Part[]): string {
  const cell = (works: boolean) => (works ? "yes" : "no");
  const rows = parts.flatMap(({ title, rows }) =>
    rows.map(({ feature, runc, fdrunc }) => [title, feature, cell(runc), cell(fdrunc)]),
  );
  const all = [["engine", "feature", "runc", "fdrunc"], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((text, i) => text.padEnd(widths[i])).join(" | ")} |\n`;
  return [all[0], widths.map((width) => "-".repeat(width)), ...rows].map(line).join("");
}
