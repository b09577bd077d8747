/*
 * Which blocks of its heap a program writes to, when it does what it mostly does. The executable keeps these apart from
 * the rest, which need not be copied when it starts (src/ffi/quickjs/heap.c).
 */
import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The program's own modules, compiled. */
const SOURCES = new URL("../../dist/node/config", import.meta.url).pathname;

/**
 * Has an engine run commands of a script, one after the other, with the heap observed.
 *
 * @param {string} engine the path of an executable for this machine
 * @param {string} script the path of the JavaScript file
 * @param {string[][]} commands the arguments of each; whether it goes well does not matter
 * @param {string} output the path of the file to write, with a bit for each block; empty where nothing could be observed
 */
export function observeHeap(engine, script, commands, output) {
  const fds = [openSync(script, "r"), "ignore", "ignore", openSync(output, "w")];
  spawnSync(
    engine,
    commands.flatMap((command) => ["", ...command]),
    { stdio: fds },
  );
  for (const fd of fds) if (typeof fd === "number") closeSync(fd);
}

/**
 * Observes fdrunc with a container in namespaces of its own, that of users among them: it needs no rights and no cgroups,
 * and leaves nothing behind.
 *
 * @param {string} engine
 * @param {string} script
 * @param {string} output as for `observeHeap`
 */
export async function observeFdrunc(engine, script, output) {
  const { defaultConfig } = await import(`${SOURCES}/defaults.js`);
  const { rootless } = await import(`${SOURCES}/rootless.js`);
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-build-"));
  const program = "/program";
  const bundle = (name, config) => {
    mkdirSync(join(directory, name, "rootfs"), { recursive: true });
    copyFileSync(engine, join(directory, name, "rootfs", program));
    const asked = { ...config.process, args: [program], terminal: false };
    writeFileSync(join(directory, name, "config.json"), JSON.stringify({ ...config, process: asked }));
    return ["--bundle", join(directory, name), "c"];
  };
  try {
    const own = bundle("own", rootless(defaultConfig(), process.getuid(), process.getgid()));
    const commands = [
      ["create", ...own],
      ["state", "c"],
      ["exec", "c", program],
      ["start", "c"],
      ["delete", "--force", "c"],
      ["run", ...own],
    ].map((command) => ["--rootless", "true", ...command]);
    const plan = ["plan", ...bundle("default", defaultConfig())];
    const root = ["--root", join(directory, "state")];
    observeHeap(
      engine,
      script,
      [...commands, plan].map((command) => [...root, ...command]),
      output,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
