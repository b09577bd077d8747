import { basename, join } from "node:path";
import { build } from "esbuild";
import { QUICKJS } from "./engine.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const DRIVER = join(ROOT, "src/ffi/quickjs");

/** What stands in for the Node modules that commander names; the last three it only needs for what is not used here. */
const SHIMS = {
  "node:events": "events.ts",
  "node:process": "process.ts",
  "node:child_process": "nothing.ts",
  "node:fs": "nothing.ts",
  "node:path": "nothing.ts",
};

const forQuickjs = {
  name: "quickjs",
  setup(bundle) {
    bundle.onResolve({ filter: /\/driver\.js$/ }, ({ resolveDir }) =>
      basename(resolveDir) === "quickjs" ? undefined : { path: join(DRIVER, "driver.ts") },
    );
    bundle.onResolve({ filter: /^node:/ }, ({ path, importer }) =>
      path in SHIMS && importer.includes("/node_modules/commander/")
        ? { path: join(DRIVER, "shims", SHIMS[path]) }
        : { errors: [{ text: `"${path}" does not exist in the QuickJS form` }] },
    );
  },
};

/**
 * One script for QuickJS of a program's TypeScript sources.
 *
 * @param {string} entry the path of the program's module
 * @param {string} output
 */
export async function bundleForQuickjs(entry, output) {
  await build({
    entryPoints: [entry],
    outfile: output,
    bundle: true,
    format: "iife",
    target: "es2023",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["require"],
    minifySyntax: true,
    logLevel: "warning",
    define: { QUICKJS_VERSION: JSON.stringify(QUICKJS.version) },
    plugins: [forQuickjs],
  });
}
