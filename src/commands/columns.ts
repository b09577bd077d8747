/** Rows as lines of aligned columns, the first row the headings. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(12, ...rows.map((row) => row[column].length + 3)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
