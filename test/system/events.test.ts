import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { asRoot, eventually, type FullConfig, type Result, type Scene, system, withCgroups } from "./harness.js";
import { besideRunc } from "./pair.js";

const MIB = 1 << 20;

function running(s: Scene, args = ["sleep", "1000"], change: (config: FullConfig) => void = () => {}): void {
  s.write((config) => {
    config.process.args = args;
    change(config);
  });
  s.create().succeeds();
  s.fdrunc(["start", "c"]).succeeds();
}

interface Told {
  type: string;
  id: string;
  data: { memory: { usage: { limit: number; usage: number } }; pids: { current: number; limit: number } };
}

const parse = (text: string): Told[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

withCgroups("events --stats tells once what a container uses", (s) => {
  running(s, ["sh", "-c", "sleep 1000 & wait"], ({ linux }) => {
    linux.resources.memory = { limit: 64 * MIB };
    linux.resources.pids = { limit: 17 };
  });
  let events: Told[] = [];
  eventually(() => {
    events = parse(s.fdrunc(["events", "--stats", "c"]).succeeds());
    assert.equal(events[0].data.pids.current, 2);
  });
  assert.equal(events.length, 1);
  const [{ type, id, data }] = events;
  assert.deepEqual([type, id, data.pids.limit], ["stats", "c", 17]);
  assert.equal(data.memory.usage.limit, 64 * MIB);
  assert.ok(data.memory.usage.usage > 0);
});

/** Starts to watch the container. Returns what was told so far, and the watch's end. */
function watch(s: Scene, flags: string[], under: string[] = []): { told: () => Told[]; ended: Promise<Result> } {
  const path = s.path("events");
  const output = openSync(path, "w");
  try {
    const { ended } = s.start(["events", ...flags, "c"], { stdio: ["ignore", output], under });
    // The last line may not be all there.
    const told = () => parse(readFileSync(path, "utf8").replace(/[^\n]*$/, ""));
    return { told, ended };
  } finally {
    closeSync(output);
  }
}

asRoot("events tells it time and again, and ends with the container", async (s) => {
  running(s);
  const { told, ended } = watch(s, ["--interval", "100ms"]);
  eventually(() => assert.ok(told().length >= 3));
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  (await ended).succeeds();
  for (const { type, id } of told()) assert.deepEqual([type, id], ["stats", "c"]);
  assert.equal(s.fdrunc(["events", "c"]).fails(), 'container with id "c" is not running: its status is stopped');
});

withCgroups("events tells of a lack of memory, also of one that ends the container", async (s) => {
  const grow = "x=x; while :; do x=$x$x; done";
  running(s, ["sh", "-c", `until [ -e /go ]; do sleep 0.1; done; (${grow}); ${grow}`], ({ linux }) => {
    linux.resources.memory = { limit: 8 * MIB, swap: 8 * MIB };
  });
  const { told, ended } = watch(s, ["--interval", "200ms"]);
  eventually(() => assert.ok(told().length >= 1));
  writeFileSync(`${s.rootfs}/go`, "");
  (await ended).succeeds();
  const kills = told().filter(({ type }) => type === "oom");
  assert.ok(kills.length >= 1);
  for (const kill of kills) assert.deepEqual(kill, { type: "oom", id: "c" });
  assert.equal(s.status(), "stopped");
});

withCgroups("events ends when nobody reads it any more", async (s) => {
  running(s);
  const under = ["sh", "-c", `trap '' PIPE; { "$@"; echo $? > ${s.path("status")}; } | head -n 1`, "sh"];
  const { told, ended } = watch(s, ["--interval", "50ms"], under);
  (await ended).succeeds();
  assert.equal(told().length, 1);
  assert.equal(readFileSync(s.path("status"), "utf8"), "0\n");
});

withCgroups("events of a paused container go on, with --interval as Go writes it", (s) => {
  running(s);
  s.fdrunc(["pause", "c"]).succeeds();
  assert.equal(parse(s.fdrunc(["events", "--stats", "--interval=1m30s", "c"]).succeeds()).length, 1);
  for (const interval of ["0s", "x", "-1s", "5"])
    assert.match(s.fdrunc(["events", `--interval=${interval}`, "c"]).fails(), /--interval.*(invalid|greater than 0)/);
});

system("events needs a container, and a memory cgroup to watch", (s) => {
  assert.match(s.fdrunc(["events", "nobody"]).fails(), /does not exist$/);
  s.write((config) => {
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.linux.resources = {};
  });
  s.fdrunc(["--cgroup-manager", "disabled", "create", "c"]).succeeds();
  assert.match(s.fdrunc(["events", "c"]).fails(), /no cgroup controller "memory" for it \(--stats does without\)$/);
});

/** The paths of all members, with the kinds of their values. */
function shapeOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return [`${path}: list`];
  if (typeof value !== "object" || value === null) return [`${path}: ${value === null ? "null" : typeof value}`];
  const members = Object.entries(value);
  return members.length === 0 ? [`${path}: {}`] : members.flatMap(([key, member]) => shapeOf(member, `${path}.${key}`));
}

/** Members that are told unless they are zero, which depends on the moment; and what runc 1.1 does not know yet. */
const OPTIONAL = /\.(usage|max|cache|percpu\w*|total|blkio|throttling)(\.\w+)?: |\.psi\.|\.swap\.max|^\.data\.blkio/;

besideRunc("events --stats tells the same members", (pair) => {
  pair.run(({ linux }) => {
    linux.resources.memory = { limit: 64 * MIB };
    linux.resources.pids = { limit: 17 };
  });
  const shape = (value: unknown) =>
    shapeOf(value)
      .filter((line) => !OPTIONAL.test(line))
      .toSorted();
  // What each has done to start its container may still count for a moment.
  eventually(() => {
    const [ours, theirs] = pair.both(["events", "--stats", "c"]).map(({ stdout }) => JSON.parse(stdout));
    assert.deepEqual(shape(ours), shape(theirs));
    for (const part of ["cpuset", "hugetlb", "intel_rdt", "network_interfaces"])
      assert.deepEqual(ours.data[part], theirs.data[part]);
    for (const { data } of [ours, theirs]) {
      assert.equal(data.memory.usage.limit, 64 * MIB);
      assert.deepEqual(data.pids, { current: 1, limit: 17 });
    }
  });
  pair.same(["events", "--interval", "0s", "c"], "duration interval must be greater than 0");
  pair.same(["kill", "c", "KILL"]);
  eventually(() => pair.same(["events", "--stats", "c"], "is not running"));
});
