/*
 * `npm run build`: dist/node (the Node form), dist/fdrunc (the QuickJS form), dist/fdrunc-aarch64 where there is a cross
 * compiler. Does only what changed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundleForQuickjs } from "./bundle.mjs";
import { buildEngine, HERE, TARGETS } from "./engine.mjs";
import { makeImage } from "./image.mjs";
import { once } from "./once.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const [DIST, CACHE] = [join(ROOT, "dist"), join(ROOT, ".cache")];

const node = (script, ...args) =>
  spawnSync(process.execPath, [join(ROOT, script), ...args], { stdio: "inherit" }).status;

if (node("src/build/generate.mjs") !== 0) process.exit(1);
// Type errors fail the build at its end: what runs in spite of them can be tried.
process.exitCode = node("node_modules/typescript/bin/tsc", "-p", ROOT);
mkdirSync(DIST, { recursive: true });

const script = join(CACHE, "fdrunc.js");
await bundleForQuickjs(process.argv[2] ?? join(ROOT, "src/bin/fdrunc.ts"), script);
await Promise.all(Object.keys(TARGETS).map(quickjsForm));

async function quickjsForm(architecture) {
  const output = join(DIST, architecture === HERE ? "fdrunc" : `fdrunc-${architecture}`);
  try {
    const engine = await buildEngine(architecture);
    const inputs = [engine, script, join(ROOT, "src/build/image.mjs")];
    await once(output, inputs, () => makeImage(architecture, engine, script, output));
  } catch (error) {
    rmSync(output, { force: true });
    console.error(`fdrunc: no QuickJS form for ${architecture}: ${error.message.split("\n")[0]}`);
  }
}
