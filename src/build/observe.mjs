/*
 * Which blocks of its heap a program writes to or reads, when it does what it mostly does. The executable keeps these apart
 * from the rest: what is only read need not be copied when it starts, what is not touched not be mapped
 * (src/ffi/quickjs/heap.c).
 */
import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The program's own modules, compiled. */
const SOURCES = new URL("../../dist/node/config", import.meta.url).pathname;

/**
 * Has an engine run commands of a script, one after the other, with the heap observed. Says where that cannot be done.
 *
 * @param {string} engine the path of an executable for this machine
 * @param {string} script the path of the JavaScript file
 * @param {string[][]} commands the arguments of each; whether it goes well does not matter
 * @param {string} output the path of the file to write, heap.h's Observation; empty where nothing could be observed
 * @returns {boolean} whether something could be
 */
export function observeHeap(engine, script, commands, output) {
  const fds = [openSync(script, "r"), "ignore", "ignore", openSync(output, "w")];
  const { status } = spawnSync(
    engine,
    commands.flatMap((command) => ["", ...command]),
    { stdio: fds },
  );
  for (const fd of fds) if (typeof fd === "number") closeSync(fd);
  if (status !== 0)
    console.log(
      "what commands use of the heap is not kept apart, so they start more slowly: to observe it takes 16 GiB of address " +
        "space, which vm.overcommit_memory=2 or a limit may deny",
    );
  return status === 0;
}

/**
 * Observes fdrunc with a container in namespaces of its own, that of users among them: it needs no rights and no cgroups,
 * and leaves nothing behind. With root's rights, also with one that has cgroups.
 *
 * @param {string} engine
 * @param {string} script
 * @param {string} output as for `observeHeap`
 * @returns {Promise<boolean>} as for `observeHeap`
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
  const usual = (bundle) => [
    ["create", ...bundle],
    ["state", "c"],
    ["exec", "c", program],
    ["start", "c"],
    ["delete", "--force", "c"],
    ["run", ...bundle],
  ];
  try {
    const [user, group] = [process.getuid(), process.getgid()];
    const own = bundle("own", rootless(defaultConfig(), user, group));
    const whole = defaultConfig();
    whole.linux.cgroupsPath = `/fdrunc-build-${process.pid}`;
    const full = bundle("full", whole);
    const commands = [...usual(own).map((command) => ["--rootless", "true", ...command]), ["plan", ...full]];
    if (user === 0) commands.push(...usual(full));
    const root = ["--root", join(directory, "state")];
    return observeHeap(
      engine,
      script,
      commands.map((command) => [...root, ...command]),
      output,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
