import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";

const ROOT = new URL("../../", import.meta.url).pathname;
const COMPILED = join(ROOT, "dist/test/test");
const FILE_TIMEOUT = 30 * 60 * 1000;

/** The test files below a folder of test/, as paths there: "system/run.test.ts". */
export function testFiles(folder = "") {
  return readdirSync(join(ROOT, "test", folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

/**
 * Runs compiled tests, as many files at once as there are processors.
 *
 * @param {string[]} files as `testFiles` names them
 * @param {(result: import("./summary.mjs").Result) => void} take gets each test's result as soon as it is there
 * @param {number} [timeout] milliseconds that a file may take
 */
export async function runTestFiles(files, take, timeout = FILE_TIMEOUT) {
  const left = [...files];
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) await runTestFile(file, take, timeout);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
}

async function runTestFile(file, take, timeout) {
  /** What it has put out and nothing has shown so far. */
  let output = "";
  let failed = false;
  const events = run({ files: [join(COMPILED, file.replace(/ts$/, "js"))], timeout });
  const collect = ({ message }) => {
    output += message;
  };
  events.on("test:stdout", collect);
  events.on("test:stderr", collect);
  events.on("test:pass", ({ name, skip, details }) => {
    if (details.type === "suite") return;
    const what = `${file}: ${name}`;
    if (skip === undefined) take({ outcome: "passed", what });
    else take({ outcome: "skipped", what, why: skip === true ? "no reason is given" : skip });
  });
  events.on("test:fail", ({ name, details }) => {
    // A suite or test that fails for a failure within it would tell of the same again.
    if (details.error.failureType === "subtestsFailed") return;
    take({ outcome: "failed", what: `${file}: ${name}`, why: inspect(details.error.cause ?? details.error), output });
    failed = true;
    output = "";
  });
  for await (const _ of events);
  if (failed && output !== "") take({ outcome: "output", what: file, output });
}
