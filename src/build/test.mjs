/*
 * `npm test [-- unit | system | all]`: sets up, builds, compiles the tests, runs the unit tests once and the system tests
 * for each form of fdrunc, which find it in the environment: FDRUNC_FORM ("node", "quickjs") and FDRUNC, what to run.
 * "all" is these and, in brief, those of `npm run test:vm` and `npm run test:engines`. The last line is the sum.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildTests } from "./build-tests.mjs";
import { runEngines } from "./engines.mjs";
import { Summary } from "./summary.mjs";
import { runTestFiles, testFiles } from "./test-files.mjs";
import { runInGuest } from "./vm/run-in-guest.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const FORMS = { node: "dist/node/bin/fdrunc.js", quickjs: "dist/fdrunc" };

const summary = new Summary();
const only = process.argv[2];

await buildTests(summary);
const files = testFiles();
const isSystem = (file) => file.startsWith("system/");
const isUnit = (file) => !isSystem(file) && !file.startsWith("engines/");
if (only !== "system") await summary.stage("unit", (take) => runTestFiles(files.filter(isUnit), take));
for (const [form, path] of Object.entries(only === "unit" ? {} : FORMS)) {
  if (existsSync(join(ROOT, path))) {
    Object.assign(process.env, { FDRUNC_FORM: form, FDRUNC: join(ROOT, path) });
    await summary.stage(form, (take) => runTestFiles(files.filter(isSystem), take));
  } else {
    summary.skip(`the system tests with the ${form} form`, `there is no ${path}`);
  }
}
if (only === "all") {
  await runInGuest(summary);
  await runEngines(summary);
}
process.exit(summary.finish());
