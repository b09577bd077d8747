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

/** A document with a new table between the two comments that say where it goes. Throws Error without them. */
export function inDocument(document: string, parts: readonly Part[]): string {
  const [from, to] = [document.indexOf(START) + START.length, document.indexOf(END)];
  if (from < START.length || to < from) throw new Error("there is no place for the table of engines");
  return `${document.slice(0, from)}${table(parts)}\n${document.slice(to)}`;
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
