/*
 * `npm run test:engines [-- [--long] [--readme] [ENGINE…]]`: runs fdrunc under real engines, beside runc. ENGINE is the
 * name of a file in test/engines/: "containerd"; all unless given. What is repeated is so thousands of times with --long,
 * which takes hours. --readme puts the table of what works into README.md, where rows of engines that are not run stay.
 * The last line is the sum, as of `npm test`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildTests } from "./build-tests.mjs";
import { runEngines } from "./engines.mjs";
import { Summary } from "./summary.mjs";

const README = new URL("../../README.md", import.meta.url).pathname;

const { values, positionals } = parseArgs({
  options: { long: { type: "boolean", default: false }, readme: { type: "boolean", default: false } },
  allowPositionals: true,
});
const summary = new Summary();
await buildTests(summary);
const tables = mkdtempSync(join(tmpdir(), "fdrunc-tables-"));
try {
  if (values.long) process.env.FDRUNC_ENGINES_LONG = "yes";
  process.env.FDRUNC_ENGINES_TABLE = tables;
  await runEngines(summary, positionals);
  if (values.readme) {
    const { inDocument } = await import("../../dist/test/test/engines/table.js");
    const parts = readdirSync(tables).map((name) => JSON.parse(readFileSync(join(tables, name), "utf8")));
    writeFileSync(README, inDocument(readFileSync(README, "utf8"), parts, positionals.length > 0));
  }
} finally {
  rmSync(tables, { recursive: true });
}
process.exit(summary.finish());
