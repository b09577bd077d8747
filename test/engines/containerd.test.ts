import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { MISSING_CRIU } from "../system/criu.js";
import { eventually } from "../system/harness.js";
import { Containerd, IMAGE } from "./containerd.js";
import { DENIALS } from "./denied-cgroups.js";
import { loadTests, type Subject } from "./load.js";
import type { Runtime } from "./runtime.js";
import { type Feature, onTerminal, succeeds, suite } from "./suite.js";

/** Runs until a signal ends it, with a status for each that it handles. */
const WAITING = [
  "sh",
  "-c",
  'trap "exit 41" TERM; trap "exit 42" USR1; trap "exit 43" 37; while :; do sleep 0.05; done',
];

/** What `ctr tasks kill` is told, and the status that the container ends with. */
const STOPS: readonly (readonly [flags: readonly string[], status: number])[] = [
  [[], 41],
  [["--signal=USR1"], 42],
  [["--signal=SIGRTMIN+3"], 43],
  [["--signal=SIGKILL"], 137],
  [["--signal=9", "--all"], 137],
];

/** Runs a program to its end. Returns what it put out. */
const run = (engine: Containerd, runtime: Runtime, flags: readonly string[], ...program: string[]): string =>
  succeeds(engine.ctr("run", "--rm", ...engine.use(runtime), ...flags, IMAGE, "c", ...program));

/** Starts a container that waits for signals. */
function detach(engine: Containerd, runtime: Runtime, id = "c", ...flags: string[]): void {
  succeeds(engine.ctr("run", "--detach", ...engine.use(runtime), ...flags, IMAGE, id, ...WAITING));
}

/** A row whose container has an option of `ctr run`, and shows it by what a program puts out. */
const option = (name: string, flags: readonly string[], script: string, output: string): Feature<Containerd> => ({
  name,
  run: (engine, runtime) => assert.equal(run(engine, runtime, flags, "sh", "-c", script).trim(), output),
});

/** Has ctr run a container that cannot run: what it says of it is one line, which tells why. */
function fails(
  engine: Containerd,
  runtime: Runtime,
  flags: readonly string[],
  program: readonly string[],
  why: RegExp,
): void {
  const { status, stderr } = engine.ctr("run", "--rm", ...engine.use(runtime), ...flags, IMAGE, "c", ...program);
  assert.equal(status, 1);
  assert.match(stderr, /^ctr: [^\n]+\n$/);
  assert.match(stderr, why);
}

/** A row whose container cannot run. */
const error = (
  name: string,
  flags: readonly string[],
  program: readonly string[],
  why: RegExp,
): Feature<Containerd> => ({
  name: `error: ${name}`,
  run: (engine, runtime) => fails(engine, runtime, flags, program, why),
});

const FEATURES: readonly Feature<Containerd>[] = [
  {
    name: "run, with input and output",
    run: ({ place, command, use }, runtime) => {
      const flags = ["run", "--rm", ...use(runtime), IMAGE, "c", "sh", "-c", "read a; echo $a; echo $$ >&2; exit 3"];
      assert.deepEqual(place.run(command(...flags), { input: "in\n" }), { status: 3, stdout: "in\n", stderr: "1\n" });
    },
  },
  {
    name: "run --detach",
    run: (engine, runtime) => {
      const pidFile = engine.place.path(`${runtime.name}.pid`);
      detach(engine, runtime, "c", `--pid-file=${pidFile}`);
      assert.equal(engine.status("c"), "RUNNING");
      assert.match(succeeds(engine.ctr("tasks", "list")), new RegExp(`^c +${readFileSync(pidFile, "utf8")} `, "m"));
    },
  },
  {
    name: "run --tty",
    run: (engine, runtime) => {
      const command = engine.command("run", "--rm", "--tty", ...engine.use(runtime), IMAGE, "c", "tty");
      assert.match(onTerminal(engine.place, command), /\/dev\/pts\/0/);
    },
  },
  {
    name: "exec",
    run: (engine, runtime) => {
      detach(engine, runtime);
      const { status, stdout } = engine.ctr(
        "tasks",
        "exec",
        "--exec-id=e",
        "--user=user",
        "--cwd=/tmp",
        "c",
        "sh",
        "-c",
        "id -u; pwd; exit 5",
      );
      assert.deepEqual({ status, stdout }, { status: 5, stdout: "1000\n/tmp\n" });
    },
  },
  {
    name: "exec --tty",
    run: (engine, runtime) => {
      detach(engine, runtime);
      const command = engine.command("tasks", "exec", "--tty", "--exec-id=e", "c", "sh", "-c", "stty size && tty");
      assert.match(onTerminal(engine.place, command), /\/dev\/pts\/0/);
    },
  },
  {
    name: "exec --detach, and kill --exec-id",
    run: (engine, runtime) => {
      detach(engine, runtime);
      succeeds(engine.ctr("tasks", "exec", "--detach", "--exec-id=e", "c", "sleep", "1000"));
      const processes = () => succeeds(engine.ctr("tasks", "ps", "c"));
      assert.match(processes(), /"?e\b/);
      succeeds(engine.ctr("tasks", "kill", "--exec-id=e", "--signal=SIGKILL", "c"));
      eventually(() => assert.doesNotMatch(processes(), /ExecID|exec_id|\be\b/));
      assert.equal(engine.status("c"), "RUNNING");
    },
  },
  {
    name: "pause and resume",
    run: (engine, runtime) => {
      detach(engine, runtime);
      succeeds(engine.ctr("tasks", "pause", "c"));
      assert.equal(engine.status("c"), "PAUSED");
      succeeds(engine.ctr("tasks", "resume", "c"));
      assert.equal(engine.status("c"), "RUNNING");
    },
  },
  ...STOPS.map(
    ([flags, status]): Feature<Containerd> => ({
      name: `kill ${flags.join(" ") || "(by SIGTERM)"}`,
      run: (engine, runtime) => {
        detach(engine, runtime);
        succeeds(engine.ctr("tasks", "exec", "--exec-id=e", "c", "true"));
        succeeds(engine.ctr("tasks", "kill", ...flags, "c"));
        eventually(() => assert.equal(engine.status("c"), "STOPPED"));
        assert.match(engine.ctr("tasks", "delete", "c").stderr, new RegExp(`exit code ${status}\\b`));
      },
    }),
  ),
  {
    name: "tasks delete --force of a running container",
    run: (engine, runtime) => {
      detach(engine, runtime);
      engine.ctr("tasks", "delete", "--force", "c");
      assert.equal(engine.status("c"), undefined);
    },
  },
  {
    name: "start again",
    run: (engine, runtime) => {
      detach(engine, runtime);
      engine.ctr("tasks", "delete", "--force", "c");
      succeeds(engine.ctr("tasks", "start", "--detach", "c"));
      assert.equal(engine.status("c"), "RUNNING");
    },
  },
  {
    name: "ps",
    run: (engine, runtime) => {
      detach(engine, runtime);
      assert.match(succeeds(engine.ctr("tasks", "ps", "c")), /^PID +INFO\n\d+ +-\n/);
    },
  },
  {
    name: "metrics",
    run: (engine, runtime) => {
      detach(engine, runtime);
      const { memory, pids } = JSON.parse(succeeds(engine.ctr("tasks", "metrics", "--format=json", "c")));
      assert.ok(Number(memory.usage.usage) > 0 && Number(pids.current) > 0);
    },
  },
  {
    name: "events: exit",
    run: async (engine, runtime) => {
      const events = await engine.events(() => run(engine, runtime, [], "sh", "-c", "exit 0"));
      for (const topic of ["create", "start", "exit", "delete"])
        assert.match(events, new RegExp(`/tasks/${topic} .*"c"`));
    },
  },
  {
    name: "events: out of memory",
    run: async (engine, runtime) => {
      const flags = ["run", "--rm", ...engine.use(runtime), `--memory-limit=${16 << 20}`, IMAGE, "c"];
      const events = await engine.events(() => {
        assert.equal(engine.ctr(...flags, "sh", "-c", "head -c 100m /dev/zero | tail").status === 0, false);
      });
      assert.match(events, /\/tasks\/oom .*"c"/);
    },
  },
  {
    name: "checkpoint and restore",
    missing: () => MISSING_CRIU || undefined,
    run: (engine, runtime) => {
      // containerd stores what is saved under the container's id, and not a second time.
      const id = `saved-${runtime.name}`;
      const counting = "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done";
      succeeds(engine.ctr("run", "--detach", "--null-io", ...engine.use(runtime), IMAGE, id, "sh", "-c", counting));
      const count = () => Number(succeeds(engine.ctr("tasks", "exec", "--exec-id=e", id, "cat", "/tmp/n")));
      eventually(() => assert.ok(count() > 10));
      const reference = `docker.io/library/${runtime.name}:saved`;
      succeeds(engine.ctr("containers", "checkpoint", "--task", id, reference));
      engine.tidy();
      succeeds(engine.ctr("containers", "restore", "--live", id, reference));
      eventually(() => assert.ok(count() > 10));
    },
  },
  {
    name: "the shim killed, and the container started again",
    run: (engine, runtime) => {
      detach(engine, runtime);
      const shims = engine.place.processes().filter(({ command }) => command.startsWith("/usr/bin/containerd-shim"));
      assert.equal(shims.length, 1);
      process.kill(shims[0].pid, "SIGKILL");
      eventually(() => assert.notEqual(engine.status("c"), "RUNNING"));
      // containerd cleans up by itself meanwhile.
      eventually(() => {
        engine.ctr("tasks", "delete", "--force", "c");
        succeeds(engine.ctr("tasks", "start", "--detach", "c"));
      });
      assert.equal(engine.status("c"), "RUNNING");
    },
  },
  {
    name: "containerd killed and started again, with a container running",
    run: async (engine, runtime) => {
      detach(engine, runtime);
      const tasks = engine.ctr("tasks", "list").stdout;
      await engine.restart("SIGKILL");
      assert.equal(engine.ctr("tasks", "list").stdout, tasks);
      succeeds(engine.ctr("tasks", "exec", "--exec-id=e", "c", "true"));
      succeeds(engine.ctr("tasks", "kill", "c"));
      eventually(() => assert.equal(engine.status("c"), "STOPPED"));
    },
  },
  error("a program that is not there", [], ["/nosuch"], /\/nosuch/),
  error("a mount that cannot be made", ["--mount=type=nosuch,src=x,dst=/m"], ["true"], /nosuch|no such device/),
  error("a cgroup that cannot be made", ["--cgroup=/cgroup.procs/c"], ["true"], /cgroup\.procs/),
  // ctr has no option for CPUs.
  ...DENIALS.filter(({ flags }) => !flags.some((flag) => flag.startsWith("--cpuset"))).map(
    ({ name, missing, flags, why, deny }): Feature<Containerd> => ({
      name: `error: a cgroup denied: ${name}`,
      missing,
      run: (engine, runtime) =>
        deny(engine.place, (parent) => fails(engine, runtime, [`--cgroup=/${parent}/c`, ...flags], ["true"], why)),
    }),
  ),
  option("run --memory-limit", ["--memory-limit=33554432"], "cat /proc/self/cgroup | grep -c memory", "1"),
  option("run --env --cwd", ["--env=A=b", "--cwd=/tmp"], "echo $A $PWD", "b /tmp"),
  option("run --read-only", ["--read-only"], "touch /x 2>/dev/null || echo no", "no"),
  option("run --net-host", ["--net-host"], "ls /sys/class/net", "lo"),
  option("run --seccomp", ["--seccomp"], "grep -w Seccomp: /proc/self/status", "Seccomp:\t2"),
  option("run --privileged", ["--privileged"], "grep -w Seccomp: /proc/self/status", "Seccomp:\t0"),
  option("run --cap-drop", ["--cap-drop=CAP_CHOWN"], "chown 1:1 /tmp 2>/dev/null || echo no", "no"),
  option("run --allow-new-privs", ["--allow-new-privs"], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0"),
  option("run --device", ["--device=/dev/loop-control"], "test -c /dev/loop-control && echo yes", "yes"),
  option(
    "run --mount",
    ["--mount=type=tmpfs,dst=/m,options=size=1m"],
    "grep -c ' /m tmpfs.*size=1024k' /proc/mounts",
    "1",
  ),
  option("run --no-pivot", ["--no-pivot"], "ls /bin/busybox", "/bin/busybox"),
  option("run --cpu-quota --cpu-period", ["--cpu-quota=50000", "--cpu-period=100000"], "echo ran", "ran"),
  option(
    "run --uidmap --gidmap",
    ["--uidmap=0:100000:65536", "--gidmap=0:100000:65536"],
    "cat /proc/self/uid_map | tr -s ' '",
    "0 100000 65536",
  ),
];

const { missing, engine } = suite(
  "containerd",
  ["containerd", "ctr", "containerd-shim-runc-v2"],
  Containerd.open,
  FEATURES,
);

const SUBJECT: Subject<Containerd> = {
  name: "containerd",
  directories: ({ place: { tag } }) => [
    `/run/containerd/runc/${tag}`,
    `/run/containerd/io.containerd.runtime.v2.task/${tag}`,
  ],
  run: ({ command, use }, runtime, id, ...program) => command("run", "--rm", ...use(runtime), IMAGE, id, ...program),
  detach: ({ command, use }, runtime, id) =>
    command("run", "--detach", "--null-io", ...use(runtime), IMAGE, id, "sleep", "1000"),
  exec: ({ command }, id, ...program) => command("tasks", "exec", "--exec-id=e", id, ...program),
  remove: ({ command }, id) => [command("tasks", "delete", "--force", id), command("containers", "delete", id)],
  removeUnknown: (containerd) => containerd.removeUnknown(),
  restart: (containerd) => containerd.restart("SIGKILL"),
};
loadTests(SUBJECT, missing, engine);
