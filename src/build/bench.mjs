/*
 * `npm run bench [-- OPTIONS]`: sets up, builds, and runs test/bench/bench.ts, which knows the options (`--help`). Only
 * that writes to standard output.
 */
import { spawnSync } from "node:child_process";
import { setUp } from "./setup.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;

console.log = console.error;
setUp(["busybox-static", "crun", "runc"]);
run(2, "src/build/build.mjs");
run(2, "node_modules/typescript/bin/tsc", "-p", "test");
run(1, "dist/test/test/bench/bench.js", ...process.argv.slice(2));

/** Runs one of Node's scripts; ends with it where it fails. */
function run(output, script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio: ["ignore", output, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
