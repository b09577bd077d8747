import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { CRIU_ENV, MISSING_CRIU } from "./criu.js";
import {
  asRoot,
  cgroupOf,
  cgroupsPath,
  eventually,
  FORM,
  type Result,
  removeCgroupsOfRunc,
  type Scene,
  system,
} from "./harness.js";

/** What a command has done: its exit status, and the container's afterwards, "absent" where there is none. */
interface Effect {
  readonly command: string;
  readonly status: number | null;
  readonly leaves: string;
}

/** Where fdrunc's exit status is meant to be another than runc's, or than some of runc's: both, and why. */
const DIFFERENT: Readonly<Record<string, readonly [ours: number, theirs: number | readonly number[], why: string]>> = {
  exec: [255, 1, "whatever exec itself fails of is told from its program's failures"],
  "exec --preserve-fds x c true": [255, 1, "the same"],
  "exec --additional-gids x c true": [255, 1, "the same"],
  "exec --unknown c true": [255, 1, "the same"],
  "exec --cap CAP_NONE c true": [255, 0, "runc passes over a name that is none, a mistyped one, with a warning"],
  "exec --preserve-fds 2 c true": [255, 0, "runc hands out descriptors of its own where the caller has left none open"],
  "update --blkio-weight 5 c": [1, [0, 1], "runc passes over a weight that is out of range, where no file takes it"],
  "--rootless perhaps list": [1, 0, "runc looks at the flag only when it needs to know"],
  "no-command": [1, 3, "it is a failure like others"],
};

/** A runtime's command line in a scene. */
type Runtime = (args: readonly string[]) => Pick<Result, "status" | "stdout" | "stderr">;

const ENV = { env: { ...process.env, ...CRIU_ENV } };

/**
 * What a container puts out that is left running must not keep the test from going on: what is told goes to files, and
 * what a container has said to /dev/null, since runc cannot save one that has a file of the host's open.
 */
const runc =
  (s: Scene): Runtime =>
  (args) => {
    const [out, err] = [s.path("runc.out"), s.path("runc.err")];
    const makes = ["create", "run", "restore"].includes(args[0]);
    const fds = [openSync(makes ? "/dev/null" : out, "w"), openSync(makes ? "/dev/null" : err, "w")];
    const { status } = spawnSync("runc", ["--root", s.path("runc"), ...args], {
      ...ENV,
      cwd: s.bundle,
      stdio: ["ignore", ...fds],
      timeout: 60_000,
    });
    for (const fd of fds) closeSync(fd);
    const told = (path: string) => (makes ? "" : readFileSync(path, "utf8"));
    return { status, stdout: told(out), stderr: told(err) };
  };

const fdrunc =
  (s: Scene): Runtime =>
  (args) =>
    s.fdrunc(args, { env: { ...CRIU_ENV } });

function statusOf(runtime: Runtime): string {
  const { status, stdout } = runtime(["state", "c"]);
  return status === 0 ? JSON.parse(stdout).status : "absent";
}

/** Runs commands one after the other, and waits after each until the container's status is what was last expected. */
function effects(runtime: Runtime, steps: readonly Step[]): Effect[] {
  return steps.map(([command, expected]) => {
    const { status, stderr } = runtime(command.split(" "));
    let leaves = statusOf(runtime);
    if (expected !== undefined && leaves !== expected)
      eventually(() => {
        leaves = statusOf(runtime);
        assert.equal(leaves, expected, `${command}: ${stderr}`);
      });
    return { command, status, leaves };
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
      // It may leave others, too, where the last process takes long to end: then they are used again.
      const procs = `${cgroupOf("pids")}/cgroup.procs`;
      eventually(() => assert.ok(!existsSync(procs) || readFileSync(procs, "utf8") === ""));
      const expected = theirs.map((effect) => {
        const [ours, other] = DIFFERENT[effect.command] ?? [effect.status, effect.status];
        assert.ok([other].flat().includes(effect.status as number), `runc ${effect.command}: status ${effect.status}`);
        return { ...effect, status: ours };
      });
      assert.deepEqual(effects(fdrunc(s), steps), expected);
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

beside(
  "commands for a container that is not there",
  [
    ...["exec c true", "ps c", "events c", "events --stats c", "update --pids-limit 20 c", "checkpoint c"],
    ...["pause c", "resume c", "start c", "state c", "kill c", "kill --all c", "delete c", "delete --force c"],
  ].map((command): Step => [command]),
);

beside(
  "further commands without what they need, and with what they do not know",
  [
    ...[
      "exec",
      "exec c",
      "ps",
      "events",
      "update",
      "checkpoint",
      "restore",
      "run",
      "run c d",
      "start c d",
      "state c d",
    ],
    ...["pause c d", "resume c d", "delete c d", "events c d", "update c d", "checkpoint c d", "restore c d"],
    ...[
      "list x",
      "spec x",
      "spec --bundle /absent",
      "features x",
      "--version",
      "--help",
      "no-command",
      "--unknown list",
    ],
    ...["--rootless perhaps list", "create --bundle", "create --preserve-fds x d"],
    ...["kill --unknown c", "pause --unknown c", "start --unknown c", "delete --force --unknown c"],
  ].map((command): Step => [command]),
);

/** What is asked of a container in whatever status it is. */
const ASKED = ["exec c true", "ps c", "events --stats c", "update --pids-limit 20 c", "kill c 0", "start c"];
beside("what else is asked of a container that is created, paused or stopped", [
  ["create c", "created"],
  ...ASKED.slice(0, -1).map((command): Step => [command]),
  ["start c", "running"],
  ["pause c", "paused"],
  ...ASKED.map((command): Step => [command]),
  ["resume c", "running"],
  ["kill c KILL", "stopped"],
  ...[...ASKED, "kill --all c", "pause c", "resume c", "checkpoint c", "events c"].map((command): Step => [command]),
]);

beside("values of exec's flags", [
  ...ALIVE,
  ...["true", "false", "absent", "/absent", "/bin"].map((program): Step => [`exec c ${program}`]),
  ...[
    ...["--user 1:x", "--user root", "--user 7", "--user 7:8", "--additional-gids x", "--additional-gids 9"],
    ...["--cap CAP_NONE", "--cap CAP_KILL", "--no-new-privs", "--preserve-fds x", "--preserve-fds 2", "--unknown"],
    ...["--cwd relative", "--cwd /absent", "--cwd /bin", "--env A", "--env =a", "--env A=b", "--process /absent"],
    ...["--cgroup ..", "--cgroup absent", "--console-socket /absent", "--tty --detach", "--pid-file /absent/file"],
    ...["--tty --detach --console-socket /absent", "--detach"],
  ].map((flags): Step => [`exec ${flags} c true`]),
]);

beside("values of the flags of update, events, ps and list", [
  ...ALIVE,
  ...[
    ...["--memory x", "--memory 64M", "--memory -1", "--memory-swap 1", "--memory-reservation 1M", "--cpu-quota x"],
    ...["--cpu-quota 10", "--cpu-period 5", "--cpu-share 2", "--cpu-share x", "--cpuset-cpus 999", "--cpuset-cpus x"],
    ...["--pids-limit x", "--pids-limit 0", "--pids-limit -1", "--blkio-weight 5", "--blkio-weight x"],
    ...["--cpu-rt-period x", "--kernel-memory 1", "--kernel-memory-tcp 1", "--resources /absent", "--resources -"],
    ...["--l3-cache-schema L3:0=f", "--mem-bw-schema x", "--unknown"],
  ].map((flags): Step => [`update ${flags} c`]),
  ["update c"],
  ...["--interval x", "--interval 0s", "--interval -1s", "--unknown"].map((flags): Step => [`events ${flags} c`]),
  ...["ps --format other c", "ps --format json c", "ps c -ef", "ps c --unknown", "list --quiet", "list -f x"].map(
    (command): Step => [command],
  ),
]);

beside("flags of checkpoint and restore that cannot be followed", [
  ...ALIVE,
  ...[
    ...["--manage-cgroups-mode other", "--page-server bad", "--empty-ns ipc", "--status-fd x"],
    ...["--parent-path /absolute", "--parent-path absent", "--unknown"],
  ].map((flags): Step => [`checkpoint ${flags} c`]),
  ["restore --detach c"],
  ...[
    ...["--manage-cgroups-mode other", "--empty-ns ipc", "--lsm-profile bad", "--bundle /absent", "--unknown"],
    "--image-path absent",
  ].map((flags): Step => [`restore --detach ${flags} d`]),
]);

if (!MISSING_CRIU)
  beside("a container is saved, restored, and removed", [
    ...ALIVE,
    ["checkpoint --image-path image c", "absent"],
    ["restore --detach --image-path image c", "running"],
    ["restore --detach --image-path image c", "running"],
    ["exec c true"],
    ["delete --force c", "absent"],
    ["restore --detach --image-path image c", "running"],
    ["checkpoint --leave-running --image-path another c", "running"],
    ["kill c KILL", "stopped"],
    ["delete c", "absent"],
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
