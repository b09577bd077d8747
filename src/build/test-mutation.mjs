/*
 * `npm run test:mutation [-- PATTERN]`: proves that tests would fail without the features that test/coverage/table.ts
 * names them for, of all features or those whose names a regular expression matches. For each feature that a system
 * test exercises, that test alone is run with FDRUNC_WITHOUT=FEATURE: then the harness leaves the feature out of all
 * that fdrunc is told. A test that passes all the same has not exercised it.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { buildTests } from "./build-tests.mjs";
import { Summary } from "./summary.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const TESTS = join(ROOT, "dist/test/test");
/** What a test may take, in milliseconds. */
const TIMEOUT = 5 * 60 * 1000;

const summary = new Summary();
const only = new RegExp(process.argv[2] ?? "");
await buildTests(summary);
const { FEATURES } = await import(`${TESTS}/coverage/features.js`);
const { NO_EFFECT, namedBy } = await import(`${TESTS}/coverage/table.js`);

const features = FEATURES.map(({ name }) => name).filter((name) => only.test(name) && !(name in NO_EFFECT));
const isSystem = (name) => namedBy(name).some(({ file }) => file.startsWith("system/"));
/** Features by the test that exercises them. */
const byTest = new Map();
for (const name of features.filter(isSystem)) {
  const { file, title } = namedBy(name)[0];
  const test = `${file}: ${title}`;
  byTest.set(test, { file, title, names: [...(byTest.get(test)?.names ?? []), name] });
}
const left = [...byTest];
await Promise.all(Array.from({ length: availableParallelism() }, work));
console.log(`${features.length - features.filter(isSystem).length} features are exercised by unit tests alone`);
process.exit(summary.finish());

/** Takes tests from those that are left, until none is: each as it is, and then without each of its features. */
async function work() {
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const [test, { file, title, names }] = next;
    const usual = await outcomeOf(file, title);
    if (usual === "failed") summary.fail(test, "fails as it is");
    for (const name of names) {
      const what = `${name}: ${test}`;
      if (usual !== "passed") summary.skip(what, usual);
      else if ((await outcomeOf(file, title, name)) === "failed") summary.take({ outcome: "passed", what });
      else summary.fail(what, "the test passes without it");
    }
  }
}

/** What a test comes to: "passed", "failed", or why it was skipped. */
async function outcomeOf(file, title, without = "") {
  const pattern = `^${title.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$`;
  const script = join(TESTS, file.replace(/ts$/, "js"));
  const child = spawn(process.execPath, ["--test-reporter=tap", `--test-name-pattern=/${pattern}/`, script], {
    env: { ...process.env, FDRUNC_FORM: "quickjs", FDRUNC: join(ROOT, "dist/fdrunc"), FDRUNC_WITHOUT: without },
    stdio: ["ignore", "pipe", "ignore"],
    timeout: TIMEOUT,
    killSignal: "SIGKILL",
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  await new Promise((resolve) => child.on("close", resolve));
  const lines = output.split("\n").filter((line) => !line.endsWith("# SKIP test name does not match pattern"));
  const [, not, why] = lines.map((line) => /^(not )?ok \d+ - .*?(?: # SKIP (.*))?$/.exec(line)).find(Boolean) ?? [
    "",
    "not ",
  ];
  return not ? "failed" : (why ?? "passed");
}
