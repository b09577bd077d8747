import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cgroupOf, eventually, type Scene, system, withCgroups } from "./harness.js";
import { besideRunc } from "./pair.js";

/** Starts a container of three processes. Returns their ids. */
function three(s: Scene): number[] {
  s.write((config) => {
    config.process.args = ["sh", "-c", "sleep 1000 & sleep 2000 & wait"];
  });
  s.fdrunc(["run", "--detach", "c"]).succeeds();
  const pids = () => JSON.parse(s.fdrunc(["ps", "--format", "json", "c"]).succeeds()) as number[];
  eventually(() => assert.equal(pids().length, 3));
  return pids();
}

/** The rows of a table of ps, each a list of words. */
const rows = (text: string): string[][] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));

withCgroups("ps lists a container's processes by their ids on the host", (s) => {
  const pids = three(s);
  assert.ok(pids.includes(s.stateOf().pid as number));
  for (const pid of pids) assert.match(readFileSync(`/proc/${pid}/comm`, "utf8"), /^(sh|sleep)\n$/);
  const [headings, ...found] = rows(s.fdrunc(["ps", "c"]).succeeds());
  assert.deepEqual(headings, "UID PID PPID C STIME TTY TIME CMD".split(" "));
  assert.deepEqual(found.map(([, pid]) => Number(pid)).toSorted(), pids.toSorted());
});

withCgroups("ps hands options to the host's ps, its own stand before the container's name", (s) => {
  const pids = three(s);
  const [headings, ...found] = rows(s.fdrunc(["ps", "c", "-o", "pid,args", "-A"]).succeeds());
  assert.deepEqual(headings, ["PID", "COMMAND"]);
  assert.equal(found.length, pids.length);
  // The host's ps knows -f, and no -f json.
  assert.match(s.fdrunc(["ps", "c", "-f", "-A"]).succeeds(), /^UID /);
  assert.equal(
    s.fdrunc(["ps", "c", "-o", "args", "-A"]).fails(),
    "ps -o args -A: couldn't find PID field in ps output",
  );
  assert.match(s.fdrunc(["ps", "c", "-o", "args,pid", "-A"]).fails(), /^ps -o args,pid -A: unable to parse pid "/);
  assert.match(s.fdrunc(["ps", "c", "--no-such-option"]).fails(), /^ps --no-such-option: exit status 1: error: /);
  assert.match(s.fdrunc(["ps", "--format", "xml", "c"]).fails(), /--format.*'xml' is invalid/);
});

withCgroups("ps lists processes in cgroups that the container made, too; these go with it", (s) => {
  const [pid, moved] = three(s);
  const own = cgroupOf("freezer");
  mkdirSync(`${own}/inner/most`, { recursive: true });
  writeFileSync(`${own}/inner/most/cgroup.procs`, String(moved));
  const pids = JSON.parse(s.fdrunc(["ps", "--format=json", "c"]).succeeds());
  assert.equal(pids.length, 3);
  assert.ok(pids.includes(pid) && pids.includes(moved));
  s.fdrunc(["pause", "c"]).succeeds();
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  assert.equal(s.fdrunc(["ps", "--format=json", "c"]).succeeds(), "null\n");
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

system("ps of a container without cgroups is refused", (s) => {
  s.write((config) => {
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.linux.resources = {};
  });
  s.fdrunc(["--cgroup-manager", "disabled", "create", "c"]).succeeds();
  assert.equal(s.fdrunc(["ps", "c"]).fails(), 'list the processes of container "c": it has no cgroup that would tell');
});

besideRunc("ps in all its forms", (pair) => {
  pair.run(({ process }) => {
    process.args = ["sh", "-c", "sleep 1000 & sleep 1000 & wait"];
  });
  const json = () => pair.both(["ps", "--format", "json", "c"]).map(({ stdout }) => JSON.parse(stdout));
  eventually(() =>
    assert.deepEqual(
      json().map(({ length }) => length),
      [3, 3],
    ),
  );
  // Ids and times differ; the shape and the programs do not.
  const shape = (text: string) => rows(text).map((row) => row.map((word) => (/\d/.test(word) ? "0" : word)));
  for (const options of [[], ["-ef"], ["-o", "pid,ppid,comm", "-A"], ["aux"]]) {
    const [ours, theirs] = pair.both(["ps", "c", ...options]);
    assert.deepEqual(shape(ours.stdout), shape(theirs.stdout), options.join(" "));
  }
  pair.same(["ps", "c", "-o", "comm"], "couldn't find PID field in ps output");
  pair.same(["ps", "c", "-o", "args,pid", "-A"], "unable to parse pid");
  pair.same(["ps", "c", "--no-such-option"], "unknown gnu long option");
  pair.same(["ps", "nobody"], "does not exist");
  pair.same(["kill", "c", "KILL"]);
  eventually(() => assert.deepEqual(json(), [null, null]));
});
