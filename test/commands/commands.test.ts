import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Command } from "commander";
import { createOptions } from "../../src/commands/create.js";
import { defineGlobals, globalsOf } from "../../src/commands/globals.js";
import { COMMANDS } from "../../src/commands/table.js";
import { SPEC_VERSION, VERSION } from "../../src/commands/version.js";
import { NUMBER } from "../../src/config/version.js";
import { ROOT } from "../folders.js";

/** fdrunc's command line as data: flags by command, as commander has them. */
function flagsByCommand(): Record<string, string[]> {
  const program = new Command();
  defineGlobals(program);
  for (const define of COMMANDS) define(program);
  const flags = (command: Command) => command.options.map(({ flags: text }) => text);
  return {
    "": flags(program),
    ...Object.fromEntries(program.commands.map((command) => [command.name(), flags(command)])),
  };
}

/** What callers pass: runc's flags for the commands that there are, and crun's --config. */
const EXPECTED: Record<string, string> = {
  "": "--debug --log --log-level --log-format --root --rootless --systemd-cgroup --cgroup-manager",
  check: "",
  checkpoint:
    "--image-path --work-path --parent-path --leave-running --tcp-established --tcp-skip-in-flight --ext-unix-sk " +
    "--shell-job --lazy-pages --status-fd --page-server --file-locks --pre-dump --manage-cgroups-mode --empty-ns " +
    "--auto-dedup --link-remap",
  restore:
    "--console-socket --image-path --work-path --tcp-established --ext-unix-sk --shell-job --file-locks " +
    "--manage-cgroups-mode --bundle --detach --pid-file --no-subreaper --no-pivot --empty-ns --auto-dedup " +
    "--lazy-pages --lsm-profile --lsm-mount-context",
  create: "--bundle --config --console-socket --pid-file --preserve-fds --no-new-keyring --no-pivot --pidfd-socket",
  run: "--bundle --config --console-socket --pid-file --preserve-fds --no-new-keyring --detach --keep --no-subreaper",
  delete: "--force --regex",
  events: "--interval --stats",
  exec:
    "--console-socket --pidfd-socket --cwd --env --tty --user --additional-gids --process --detach --pid-file " +
    "--process-label --apparmor --no-new-privs --cap --preserve-fds --cgroup --ignore-paused",
  features: "",
  kill: "--all --regex",
  list: "--format --quiet",
  pause: "",
  plan: "--format --bundle --config",
  ps: "--format",
  resume: "",
  spec: "--bundle --rootless",
  start: "",
  state: "",
  update:
    "--resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime " +
    "--cpuset-cpus --cpuset-mems --kernel-memory --kernel-memory-tcp --memory --cpu-idle --memory-reservation " +
    "--memory-swap --pids-limit --l3-cache-schema --mem-bw-schema",
};

test("the commands and their flags are those that callers know", () => {
  const found = flagsByCommand();
  assert.deepEqual(Object.keys(found).toSorted(), Object.keys(EXPECTED).toSorted());
  for (const [name, flags] of Object.entries(EXPECTED)) {
    const long = found[name].flatMap((text) => text.match(/--[a-z0-9-]+/g) ?? []);
    for (const flag of flags.split(" ").filter(Boolean)) assert.ok(long.includes(flag), `${name} ${flag}`);
  }
  const short = {
    create: "-b",
    run: "-b -d",
    delete: "-f",
    exec: "-e -t -u -g -p -d -c",
    kill: "-a",
    list: "-f -q",
    ps: "-f",
    spec: "-b",
    update: "-r",
  };
  for (const [name, letters] of Object.entries(short))
    for (const letter of letters.split(" "))
      assert.ok(
        found[name].some((text) => text.startsWith(`${letter},`)),
        `${name} ${letter}`,
      );
});

test("the version is package.json's, in the lines that engines take apart", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.equal(NUMBER, version);
  const lines = VERSION.split("\n").filter((line) => !line.startsWith("commit: "));
  assert.deepEqual(lines, [`fdrunc version ${version}`, `spec: ${SPEC_VERSION}`, `node: ${process.versions.node}`]);
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: ROOT, encoding: "utf8" });
  // What is built may be older than what is checked out.
  if (status === 0) assert.match(VERSION, new RegExp(`\ncommit: [0-9a-f]{${stdout.trim().length}}(-dirty)?\n`));
});

test("flags become options", () => {
  const program = new Command().exitOverride();
  defineGlobals(program);
  program.parse(["--root", "/r", "--cgroup-manager", "disabled"], { from: "user" });
  const flags = { bundle: ".", preserveFds: 2, newKeyring: true, failStep: "3:EIO", pidFile: "/p" };
  const options = createOptions(globalsOf(program), "c", { ...flags, pivot: true } as never, false);
  const { root, id, preserveFds, cgroupManager, foreground, fault, pidFile } = options;
  assert.deepEqual(
    { root, id, preserveFds, cgroupManager, foreground, fault, pidFile },
    {
      root: "/r",
      id: "c",
      preserveFds: 2,
      cgroupManager: "disabled",
      foreground: false,
      fault: { number: 3, errno: "EIO" },
      pidFile: "/p",
    },
  );
});
