/*
 * `npm run build`: dist/node (the Node form), dist/fdbundle (which runs there), dist/fdrunc (the QuickJS form), and
 * dist/fdrunc-ARCHITECTURE where there is a cross compiler. Does only what changed.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { bundleForQuickjs } from "./bundle.mjs";
import { buildEngine, HERE, TARGETS } from "./engine.mjs";
import { makeImage } from "./image.mjs";
import { once } from "./once.mjs";
import { Unavailable } from "./unavailable.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const DIST = join(ROOT, "dist");

node("src/build/generate.mjs");
// Type errors fail the build only at its end: what runs in spite of them can be tried.
node("node_modules/typescript/bin/tsc", "-p", ROOT);
for (const program of ["fdrunc", "fdbundle"]) {
  const script = join(DIST, "node/bin", `${program}.js`);
  if (existsSync(script)) chmodSync(script, 0o755);
}
mkdirSync(DIST, { recursive: true });
rmSync(join(DIST, "fdbundle"), { force: true });
symlinkSync("node/bin/fdbundle.js", join(DIST, "fdbundle"));

const script = join(ROOT, ".cache/fdrunc.js");
await bundleForQuickjs(join(ROOT, "src/bin/fdrunc.ts"), script).catch(() => process.exit(1)); // esbuild has said why
await Promise.all(Object.keys(TARGETS).map(quickjsForm));

function node(path, ...args) {
  const { status } = spawnSync(process.execPath, [join(ROOT, path), ...args], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

async function quickjsForm(architecture) {
  const output = join(DIST, architecture === HERE ? "fdrunc" : `fdrunc-${architecture}`);
  try {
    const engine = await buildEngine(architecture);
    const inputs = [engine, script, join(ROOT, "src/build/image.mjs")];
    await once(output, inputs, () => makeImage(architecture, engine, script, output));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    rmSync(output, { force: true });
    if (architecture === HERE) console.log(`no QuickJS form, only Node's: ${error.message}`);
  }
}
