import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../folders.js";
import { asRoot, FDRUNC, type Scene } from "./harness.js";
import { follow } from "./transcript.js";

const EXAMPLES = join(ROOT, "bundle-examples");
const NAMES = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, "config.json")));

/** Calls a runtime `fdrunc` and goes through what a README shows. */
function show(s: Scene, readme: string, directory: string, runtime: readonly string[]): Promise<void> {
  mkdirSync(s.path("bin"));
  const command = [...runtime, "--root", s.state].map((part) => `'${part}'`).join(" ");
  writeFileSync(s.path("bin/fdrunc"), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return follow(readFileSync(readme, "utf8"), directory, s.path("bin"));
}

/** Copies examples without the root file systems that they may have by now. Returns the directory. */
function copy(s: Scene, ...names: string[]): string {
  const directory = s.path(...names);
  cpSync(join(ROOT, ...names), directory, { recursive: true, filter: (path) => !path.endsWith("/rootfs") });
  return directory;
}

for (const name of NAMES) {
  const readme = join(EXAMPLES, name, "README.md");
  asRoot(`the example "${name}" shows what its README says`, (s) =>
    show(s, readme, copy(s, "bundle-examples", name), FDRUNC),
  );
}

// The others need a terminal of runc's caller, or a command that runc has not.
for (const name of ["hello", "user-namespace", "hooks", "memory-limit"]) {
  const readme = join(EXAMPLES, name, "README.md");
  asRoot(`the example "${name}" shows the same with runc`, (s, t) => {
    if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
    return show(s, readme, copy(s, "bundle-examples", name), ["runc"]);
  });
}

asRoot("the commands in the README show what it says", (s) => {
  copy(s, "bundle-examples");
  return show(s, join(ROOT, "README.md"), s.directory, FDRUNC);
});
