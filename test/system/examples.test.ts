import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../folders.js";
import { FDRUNC, type Scene, system } from "./harness.js";
import { converse, exchanges } from "./transcript.js";

const EXAMPLES = join(ROOT, "bundle-examples");
const NAMES = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());

/** Goes through what a README shows, with a runtime that is called as `fdrunc`, in copies of what the README is about. */
async function follow(s: Scene, readme: string, directory: string, runtime: readonly string[]): Promise<void> {
  mkdirSync(s.path("bin"));
  const command = [...runtime, "--root", s.state].map((part) => `'${part}'`).join(" ");
  writeFileSync(s.path("bin/fdrunc"), `#!/bin/sh\nexec ${command} "$@"\n`);
  chmodSync(s.path("bin/fdrunc"), 0o755);
  for (const exchange of exchanges(readFileSync(readme, "utf8"))) await converse(exchange, directory, s.path("bin"));
}

/** Copies an example without the root file system that it may have by now. */
function copy(s: Scene, name: string): string {
  const directory = s.path(name);
  cpSync(join(EXAMPLES, name), directory, { recursive: true, filter: (path) => !path.endsWith("/rootfs") });
  return directory;
}

for (const { name } of NAMES) {
  const readme = join(EXAMPLES, name, "README.md");
  system(`the example "${name}" shows what its README says`, (s) => follow(s, readme, copy(s, name), FDRUNC));
}

// The others need a terminal of runc's caller, or a command that runc has not.
for (const name of ["hello", "user-namespace", "hooks", "memory-limit"]) {
  const readme = join(EXAMPLES, name, "README.md");
  system(`the example "${name}" shows the same with runc`, (s, t) => {
    if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
    return follow(s, readme, copy(s, name), ["runc"]);
  });
}
