/*
 * `npm test [-- unit | system]`: sets up, builds, compiles the tests, runs the unit tests once and the system tests for
 * each form of fdrunc, which find it in the environment: FDRUNC_FORM ("node", "quickjs") and FDRUNC, what to run. The
 * last line is the sum.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { setUp } from "./setup.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const COMPILED = join(ROOT, "dist/test/test");
/** What is compared with, makes archives, or stands in for another machine. */
const PACKAGES = [
  ...["runc", "crun", "podman", "buildah", "skopeo", "uidmap", "busybox-static", "libseccomp2", "strace"],
  ...["gcc-aarch64-linux-gnu", "qemu-user"],
];
const FORMS = { node: "dist/node/bin/fdrunc.js", quickjs: "dist/fdrunc" };
const FILE_TIMEOUT = 15 * 60 * 1000;

const sum = { passed: 0, failed: 0, skipped: 0 };
/** Lines "test: reason". */
const skipped = [];
const only = process.argv[2];

setUp(PACKAGES);
command("building", "src/build/build.mjs");
command("compiling the tests", "node_modules/typescript/bin/tsc", "-p", "test");
const files = testFiles("");
const isSystem = (file) => file.startsWith("system/");
if (only !== "system")
  await stage(
    "unit",
    files.filter((file) => !isSystem(file)),
  );
for (const [form, path] of Object.entries(only === "unit" ? {} : FORMS)) {
  if (existsSync(join(ROOT, path))) {
    Object.assign(process.env, { FDRUNC_FORM: form, FDRUNC: join(ROOT, path) });
    await stage(form, files.filter(isSystem));
  } else {
    skip(`the system tests with the ${form} form`, `there is no ${path}`);
  }
}

for (const line of skipped) console.log(`skipped: ${line}`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed === 0 ? 0 : 1);

/** Runs one of Node's scripts; a failure counts as a failed test. */
function command(what, script, ...args) {
  console.log(what);
  const { status } = spawnSync(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) fail(what, `exit status ${status}`);
}

/** The test files below a folder of test/, as paths there. */
function testFiles(folder) {
  return readdirSync(join(ROOT, "test", folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.ts") ? [path.replace(/ts$/, "js")] : [];
  });
}

async function stage(name, files) {
  const before = { ...sum };
  /** By file: what it has put out so far. It is shown when one of the file's tests fails. */
  const output = new Map();
  const events = run({
    files: files.map((file) => join(COMPILED, file)),
    concurrency: availableParallelism(),
    timeout: FILE_TIMEOUT,
  });
  const collect = ({ file, message }) => output.set(file, (output.get(file) ?? "") + message);
  events.on("test:stdout", collect);
  events.on("test:stderr", collect);
  events.on("test:pass", ({ name: test, file, skip: reason, details }) => {
    if (details.type === "suite") return;
    if (reason === undefined) sum.passed++;
    else skip(`${title(name, file)}: ${test}`, reason === true ? "no reason is given" : reason);
  });
  events.on("test:fail", ({ name: test, file, details }) => {
    // A suite or test that fails for a failure within it would tell of the same again.
    if (details.error.failureType === "subtestsFailed") return;
    fail(`${title(name, file)}: ${test}`, inspect(details.error.cause ?? details.error), output.get(file));
    output.delete(file);
  });
  for await (const _ of events);
  if (sum.failed > before.failed)
    for (const [file, text] of output) console.log(`\n${title(name, file)} has put out:\n${text}`);
  const [passed, failed, without] = ["passed", "failed", "skipped"].map((key) => sum[key] - before[key]);
  console.log(`${name}: ${passed} passed, ${failed} failed, ${without} skipped`);
}

function title(stage, file) {
  return `${stage} ${relative(COMPILED, file ?? COMPILED).replace(/js$/, "ts")}`;
}

function skip(what, reason) {
  sum.skipped++;
  skipped.push(`${what}: ${reason}`);
}

function fail(what, cause, output = "") {
  sum.failed++;
  console.log(`\nFAILED ${what}\n${cause}\n${output}`);
}
