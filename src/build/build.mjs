/*
 * `npm run build`: dist/node (the Node form), dist/fdbundle (which runs there), dist/fdrunc and dist/fdnet (the QuickJS
 * form), and dist/PROGRAM-ARCHITECTURE where there is a cross compiler. Does only what changed.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleForQuickjs } from "./bundle.mjs";
import { buildEngine, HERE, TARGETS } from "./engine.mjs";
import { makeImage } from "./image.mjs";
import { observeFdrunc } from "./observe.mjs";
import { once } from "./once.mjs";
import { Unavailable } from "./unavailable.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const DIST = join(ROOT, "dist");

node("src/build/generate.mjs");
// Type errors fail the build only at its end: what runs in spite of them can be tried.
node("node_modules/typescript/bin/tsc", "-p", ROOT);
for (const program of ["fdrunc", "fdbundle", "fdnet"]) {
  const script = join(DIST, "node/bin", `${program}.js`);
  if (existsSync(script)) chmodSync(script, 0o755);
}
mkdirSync(DIST, { recursive: true });
link("fdbundle", "node/bin/fdbundle.js");

// Each starts with all that it may need in memory: one executable for both would be slower to start than either.
for (const program of ["fdrunc", "fdnet"]) {
  const script = join(ROOT, `.cache/${program}.js`);
  await bundleForQuickjs(join(ROOT, `src/bin/${program}.ts`), script).catch(() => process.exit(1)); // esbuild has said why
  await Promise.all(Object.keys(TARGETS).map((architecture) => quickjsForm(program, script, architecture)));
}
// Hooks name it: it is there also where there is only Node's form.
if (!existsSync(join(DIST, "fdnet"))) link("fdnet", "node/bin/fdnet.js");

function link(name, target) {
  rmSync(join(DIST, name), { force: true });
  symlinkSync(target, join(DIST, name));
}

function node(path, ...args) {
  const { status } = spawnSync(process.execPath, [join(ROOT, path), ...args], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

/** The file that tells how commands use the blocks of a program's heap, which are the same on all architectures. */
async function observed(program, script) {
  const [engine, output] = [await buildEngine(HERE), join(ROOT, `.cache/${program}.observed`)];
  const observe = program === "fdrunc" ? observeFdrunc : () => writeFileSync(output, "");
  await once(output, [engine, script, join(ROOT, "src/build/observe.mjs")], () => observe(engine, script, output));
  return output;
}

async function quickjsForm(program, script, architecture) {
  const output = join(DIST, architecture === HERE ? program : `${program}-${architecture}`);
  try {
    const engine = await buildEngine(architecture);
    const observation = await observed(program, script);
    const inputs = [engine, script, observation, join(ROOT, "src/build/image.mjs")];
    await once(output, inputs, () => makeImage(architecture, engine, script, observation, output));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    rmSync(output, { force: true });
    if (architecture === HERE) console.log(`no QuickJS form of ${program}, only Node's: ${error.message}`);
  }
}
