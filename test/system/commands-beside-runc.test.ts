import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { asRoot, cgroupOf, cgroupsPath, eventually, FORM, removeCgroupsOfRunc, type Scene, system } from "./harness.js";

/** What a command has done: its exit status, and the container's afterwards, "absent" where there is none. */
interface Effect {
  readonly command: string;
  readonly failed: boolean;
  readonly leaves: string;
}

/** A runtime's command line in a scene. */
type Runtime = (args: readonly string[]) => { status: number | null; stdout: string };

/** What a container that is left running puts out must not keep the test from going on: it goes to files. */
const runc =
  (s: Scene): Runtime =>
  (args) => {
    const [out, err] = [s.path("runc.out"), s.path("runc.err")];
    const fds = [openSync(out, "w"), openSync(err, "w")];
    const { status } = spawnSync("runc", ["--root", s.path("runc"), ...args], {
      cwd: s.bundle,
      stdio: ["ignore", ...fds],
    });
    for (const fd of fds) closeSync(fd);
    return { status, stdout: readFileSync(out, "utf8") };
  };

const fdrunc =
  (s: Scene): Runtime =>
  (args) =>
    s.fdrunc(args);

function statusOf(runtime: Runtime): string {
  const { status, stdout } = runtime(["state", "c"]);
  return status === 0 ? JSON.parse(stdout).status : "absent";
}

/** Runs commands one after the other, and waits after each until the container's status is what was last expected. */
function effects(runtime: Runtime, steps: readonly Step[]): Effect[] {
  return steps.map(([command, expected]) => {
    const { status } = runtime(command.split(" "));
    let leaves = statusOf(runtime);
    if (expected !== undefined && leaves !== expected)
      eventually(() => {
        leaves = statusOf(runtime);
        assert.equal(leaves, expected, command);
      });
    return { command, failed: status !== 0, leaves };
  });
}

/** A command line, and the status that it leads to after a while. */
type Step = [command: string, becomes?: string];

const hasRunc = spawnSync("runc", ["--version"]).status === 0;

function beside(name: string, steps: readonly Step[], program = ["sleep", "1000"]): void {
  asRoot(`beside runc: ${name}`, (s, t) => {
    if (!hasRunc) return t.skip("needs runc");
    if (FORM === "node") return t.skip("needs the executable: Node's form starts too slowly for so many commands");
    s.write((config) => {
      config.process.args = program;
    });
    try {
      const theirs = effects(runc(s), steps);
      runc(s)(["delete", "--force", "c"]);
      removeCgroupsOfRunc();
      eventually(() => assert.ok(!existsSync(cgroupOf("pids"))));
      assert.deepEqual(effects(fdrunc(s), steps), theirs);
    } finally {
      runc(s)(["delete", "--force", "c"]);
      s.fdrunc(["delete", "--force", "c"]);
      removeCgroupsOfRunc();
    }
  });
}

beside("the life of a container, in order and out of it", [
  ["state c"],
  ["start c"],
  ["kill c"],
  ["delete c"],
  ["delete --force c"],
  ["create c", "created"],
  ["create c"],
  ["run c"],
  ["delete c", "absent"],
  ["create c", "created"],
  ["kill c 0"],
  ["start c", "running"],
  ["start c"],
  ["delete c"],
  ["create c"],
  ["kill c KILL", "stopped"],
  ["kill c"],
  ["kill --all c"],
  ["start c"],
  ["delete c", "absent"],
  ["run --detach c", "running"],
  ["delete --force c", "absent"],
]);

beside("pause and resume", [
  ["pause c"],
  ["create c", "created"],
  ["resume c"],
  ["start c", "running"],
  ["resume c"],
  ["pause c", "paused"],
  ["pause c"],
  ["start c"],
  ["delete c"],
  ["resume c", "running"],
  ["pause c", "paused"],
  ["delete --force c", "absent"],
]);

const ALIVE: Step[] = [["run --detach c", "running"]];
const names = ["TERM", "SIGTERM", "sigterm", "Term", "15", "37", "64", "65", "-1", "foo", "SIGFOO", "CHLD", "17"];
beside("signals by name and number, to a program that heeds none", [
  ...ALIVE,
  ...names.map((name): Step => [`kill c ${name}`]),
]);

beside("commands without what they need, and with what they do not know", [
  ["create"],
  ["start"],
  ["state"],
  ["kill"],
  ["delete"],
  ["pause"],
  ["resume"],
  ["create c d"],
  ["delete --unknown c"],
  ["list --format other"],
  ["--log-format other list"],
  ["create --bundle /absent c"],
  ["create --pid-file /absent/file c", "absent"],
  ["create --console-socket /absent c", "absent"],
  ["create ../c"],
  ["create ."],
]);

/** Keys whose values differ between any two containers, or runtimes' versions. */
const OWN = ["ociVersion", "pid", "created"];

asRoot("beside runc: state and list print the same, apart from what is a container's own", (s, t) => {
  if (!hasRunc) return t.skip("needs runc");
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.annotations = { "one.two": "three" };
  });
  const printed = (runtime: Runtime) => {
    assert.equal(runtime(["run", "--detach", "c"]).status, 0);
    const texts = ["state c", "list", "list --format json", "list --quiet"].map(
      (command) => runtime(command.split(" ")).stdout,
    );
    const own = JSON.parse(texts[0]);
    runtime(["delete", "--force", "c"]);
    const empty = ["list", "list --format json", "list --quiet"].map((command) => runtime(command.split(" ")).stdout);
    let all = [...texts, ...empty].map((text) => text.trimEnd()).join("\n---\n");
    for (const key of OWN) all = all.replaceAll(String(own[key]), `{${key}}`);
    // Runc's `state`, unlike its `list`, names no owner; and the width of a column is that of its longest text.
    return all.replace('"owner": ""', '"owner": "root"').replace(/ +/g, " ");
  };
  try {
    const theirs = printed(runc(s));
    eventually(() => assert.ok(!existsSync(cgroupOf("pids"))));
    assert.equal(printed(fdrunc(s)), theirs);
  } finally {
    runc(s)(["delete", "--force", "c"]);
    removeCgroupsOfRunc();
  }
});

asRoot("several containers are signalled and removed by a regular expression", (s) => {
  const ids = ["web-1", "web-2", "db-1"];
  for (const id of ids) {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
      config.linux.cgroupsPath = cgroupsPath(id);
    });
    s.fdrunc(["run", "--detach", id]).succeeds();
  }
  s.fdrunc(["kill", "--regex", "^web-[0-9]$", "KILL"]).succeeds();
  for (const id of ["web-1", "web-2"]) s.waitFor("stopped", id);
  assert.equal(s.status("db-1"), "running");
  const refusal = s.fdrunc(["delete", "--regex", "1$"]).fails();
  assert.match(refusal, /^cannot delete container "db-1" that is not stopped/);
  assert.equal(s.fdrunc(["list", "--quiet"]).succeeds(), "db-1\nweb-2\n");
  s.fdrunc(["delete", "--regex", "--force", "."]).succeeds();
  assert.equal(s.fdrunc(["list", "--quiet"]).succeeds(), "");
  s.fdrunc(["delete", "--regex", "nothing"]).succeeds();
  assert.match(s.fdrunc(["kill", "--regex", "("]).fails(), /^--regex "\(": /);
});

system("what does not matter enough is not logged; files may be named as crun's log is", (s) => {
  s.write((config) => {
    config.hooks = { poststop: [{ path: "/bin/false" }] };
  });
  const logged = (name: string, ...flags: string[]) => {
    const log = s.path(name);
    s.fdrunc([...flags, "--log", `file:${log}`, "run", "c"]).succeeds();
    return existsSync(log) ? readFileSync(log, "utf8") : "";
  };
  assert.match(logged("all"), /level=warning/);
  assert.match(logged("warnings", "--log-level", "warning"), /level=warning/);
  assert.equal(logged("errors", "--log-level", "error"), "");
  assert.match(s.fdrunc(["--log", "syslog:x", "list"]).fails(), /--log.*"file:PATH"/);
});

system("the owner of a container is told by name, or number where there is none", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  s.fdrunc(["create", "c"]).succeeds();
  const path = `${s.state}/c/state.json`;
  const saved = JSON.parse(readFileSync(path, "utf8"));
  const ownerOf = (owner: number) => {
    spawnSync("tee", [path], { input: JSON.stringify({ ...saved, owner }), stdio: ["pipe", "ignore", "ignore"] });
    return s.stateOf().owner;
  };
  assert.deepEqual([0, 1, 65534, 3_000_000_000].map(ownerOf), ["root", "daemon", "nobody", "3000000000"]);
});
