/*
 * `npm run bench [-- OPTIONS]`: sets up, builds, and runs test/bench/bench.ts, which knows the options (`--help`). Only
 * that writes to standard output.
 */
import { spawnSync } from "node:child_process";
import { setUp } from "./setup.mjs";
import { unpackedProgram } from "./unpacked-program.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;

console.log = console.error;
const args = process.argv.slice(2);
const newest = args.indexOf("--newest");
setUp(["busybox-static", "crun", "runc", ...(newest < 0 ? [] : ["patchelf"])]);
if (newest >= 0) args.splice(newest, 1, ...(await newestPeers()));
run(2, "src/build/build.mjs");
run(2, "node_modules/typescript/bin/tsc", "-p", "test");
run(1, "dist/test/test/bench/bench.js", ...args);

/** The newest crun and runc that Debian has, as options of the bench. */
async function newestPeers() {
  const crun = await unpackedProgram("crun", "usr/bin/crun", "sid");
  const runc = await unpackedProgram("runc", "usr/sbin/runc", "sid");
  return ["--peer", `crun=${crun}`, "--peer", `runc=${runc}`];
}

/** Runs one of Node's scripts; ends with it where it fails. */
function run(output, script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio: ["ignore", output, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
