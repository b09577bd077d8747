import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What is being made now, by output. */
const underWay = new Map();

/**
 * Makes `output` unless it was made of the same inputs before. Who asks for what is being made waits for it.
 *
 * @param {string} output the path of the file or directory that `make` makes
 * @param {string[]} inputs what it depends on: absolute paths count with their content, any other text as it is
 * @param {() => unknown} make may return a promise; by false it says that this will do, but is to be made again next time
 */
export function once(output, inputs, make) {
  const making = underWay.get(output) ?? makeOnce(output, inputs, make).finally(() => underWay.delete(output));
  underWay.set(output, making);
  return making;
}

async function makeOnce(output, inputs, make) {
  const record = join(ROOT, ".cache/made", relative(ROOT, output).replaceAll("/", "+"));
  const digest = digestOf(inputs);
  if (existsSync(output) && existsSync(record) && readFileSync(record, "utf8") === digest) return;
  mkdirSync(dirname(output), { recursive: true });
  rmSync(record, { force: true });
  if ((await make()) === false) return;
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, digest);
}

function digestOf(inputs) {
  const hash = createHash("sha256");
  for (const input of inputs) {
    hash.update(`${input}\0`);
    if (input.startsWith("/")) for (const file of filesIn(input)) hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
