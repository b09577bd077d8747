import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { MISSING_CRIU } from "../system/criu.js";
import { eventually } from "../system/harness.js";
import { DENIALS } from "./denied-cgroups.js";
import { Docker, IMAGE } from "./docker.js";
import { OPTION_FEATURES, withoutResourceCapability } from "./docker-options.js";
import { REMAP_FEATURE } from "./docker-remap.js";
import { loadTests, type Subject, speedTest } from "./load.js";
import type { Runtime } from "./runtime.js";
import { type Feature, onTerminal, succeeds, suite } from "./suite.js";

/** A container that answers each connection to its port 80 with a line. */
const serve = (engine: Docker, runtime: Runtime, name: string, ...flags: string[]): void => {
  const program = ["nc", "-ll", "-p", "80", "-e", "echo", "served"];
  engine.say("run", "--detach", `--name=${name}`, ...engine.use(runtime), ...flags, IMAGE, ...program);
};

/** Builds an image with one step, which runs in a container, and runs it. */
const build = (engine: Docker, runtime: Runtime, buildkit: string): void => {
  engine.buildWith(runtime);
  const context = engine.place.path(`build-${runtime.name}`);
  mkdirSync(context, { recursive: true });
  writeFileSync(`${context}/Dockerfile`, `FROM ${IMAGE}\nRUN echo ${runtime.name} > /built\n`);
  const env = { DOCKER_BUILDKIT: buildkit };
  succeeds(engine.docker(["build", "--no-cache", "--network=none", "--tag=built", context], { env }));
  assert.equal(engine.say("run", "--rm", ...engine.use(runtime), "built", "cat", "/built"), runtime.name);
};

/** Has docker run a container that cannot run: what it says of it is one line, which tells why. */
const fails = (
  { docker, use }: Docker,
  runtime: Runtime,
  flags: readonly string[],
  program: readonly string[],
  why: RegExp,
): void => {
  const { status, stderr } = docker(["run", "--rm", ...use(runtime), ...flags, IMAGE, ...program]);
  assert.ok(status !== null && status >= 125);
  assert.match(stderr, /^docker: Error response from daemon: [^\n]+\n/);
  assert.match(stderr, why);
};

/** A row whose container cannot run. */
const error = (name: string, flags: readonly string[], program: readonly string[], why: RegExp): Feature<Docker> => ({
  name: `error: ${name}`,
  run: (engine, runtime) => fails(engine, runtime, flags, program, why),
});

const FEATURES: readonly Feature<Docker>[] = [
  {
    name: "run, with input and output",
    run: ({ docker, use }, runtime) => {
      const args = ["run", "--rm", "--interactive", ...use(runtime), IMAGE, "sh", "-c", "cat; echo $$ >&2; exit 3"];
      assert.deepEqual(docker(args, { input: "in" }), { status: 3, stdout: "in", stderr: "1\n" });
    },
  },
  {
    name: "run --tty",
    run: ({ place, command, use }, runtime) => {
      const args = command("run", "--rm", "--interactive", "--tty", ...use(runtime), IMAGE, "tty");
      assert.match(onTerminal(place, args), /\/dev\/pts\/0/);
    },
  },
  {
    name: "run --detach, wait",
    run: ({ say, use, inspect }, runtime) => {
      say("run", "--detach", "--name=one", ...use(runtime), IMAGE, "sh", "-c", "sleep 0.3; exit 7");
      assert.equal(say("wait", "one"), "7");
      assert.equal(inspect("one", "{{.State.Status}} {{.State.ExitCode}}"), "exited 7");
    },
  },
  {
    name: "create, start --attach",
    run: ({ say, use }, runtime) => {
      say("create", "--name=one", ...use(runtime), IMAGE, "echo", "hello");
      assert.equal(say("start", "--attach", "one"), "hello");
    },
  },
  {
    name: "exec",
    run: ({ docker, detach }, runtime) => {
      detach(runtime, "one");
      const flags = ["--user=user", "--workdir=/tmp", "--env=A=b", "--interactive"];
      const args = ["exec", ...flags, "one", "sh", "-c", "id -u; pwd; echo $A; cat; exit 5"];
      assert.deepEqual(docker(args, { input: "in" }), { status: 5, stdout: "1000\n/tmp\nb\nin", stderr: "" });
    },
  },
  {
    name: "exec --tty",
    run: ({ place, command, detach }, runtime) => {
      detach(runtime, "one");
      assert.match(onTerminal(place, command("exec", "--interactive", "--tty", "one", "tty")), /\/dev\/pts\/0/);
    },
  },
  {
    name: "exec --privileged",
    missing: withoutResourceCapability,
    run: ({ say, detach }, runtime) => {
      detach(runtime, "one");
      const read = ["grep", "CapEff", "/proc/self/status"];
      assert.notEqual(say("exec", "--privileged", "one", ...read), say("exec", "one", ...read));
    },
  },
  {
    name: "exec --detach",
    run: ({ say, detach }, runtime) => {
      detach(runtime, "one");
      say("exec", "--detach", "one", "touch", "/made");
      eventually(() => say("exec", "one", "ls", "/made"));
    },
  },
  { name: "build, classic", run: (engine, runtime) => build(engine, runtime, "0") },
  { name: "build, BuildKit", run: (engine, runtime) => build(engine, runtime, "1") },
  {
    name: "logs",
    run: ({ say, use }, runtime) => {
      say("run", "--name=one", ...use(runtime), IMAGE, "seq", "3");
      assert.equal(say("logs", "one"), "1\n2\n3");
    },
  },
  {
    name: "top",
    run: ({ say, detach }, runtime) => {
      detach(runtime, "one");
      assert.match(say("top", "one"), /\n.* sleep 1000$/);
    },
  },
  {
    name: "stats",
    run: ({ say, detach }, runtime) => {
      detach(runtime, "one");
      assert.match(say("stats", "--no-stream", "--format={{.Name}} {{.PIDs}} {{.MemUsage}}", "one"), /^one 1 [1-9]/);
    },
  },
  {
    name: "update",
    run: ({ say, detach }, runtime) => {
      detach(runtime, "one", "--memory=64m");
      say("update", "--memory=32m", "--memory-swap=64m", "--cpus=0.5", "--pids-limit=9", "--cpu-shares=300", "one");
      const files = ["memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "pids/pids.max", "cpu/cpu.shares"];
      const values = say("exec", "one", "cat", ...files.map((file) => `/sys/fs/cgroup/${file}`));
      assert.equal(values, `${32 << 20}\n50000\n9\n300`);
    },
  },
  {
    name: "pause and unpause",
    run: ({ say, detach, inspect }, runtime) => {
      detach(runtime, "one");
      say("pause", "one");
      assert.equal(inspect("one", "{{.State.Status}}"), "paused");
      say("unpause", "one");
      say("exec", "one", "true");
    },
  },
  {
    name: "stop: a signal that is handled, and one that is not",
    run: ({ say, use, detach, inspect }, runtime) => {
      const script = 'trap "exit 41" USR1; touch /up; while :; do sleep 0.05; done';
      say("run", "--detach", "--name=one", "--stop-signal=USR1", ...use(runtime), IMAGE, "sh", "-c", script);
      say("exec", "one", "sh", "-c", "until test -e /up; do sleep 0.05; done");
      say("stop", "one");
      assert.equal(inspect("one", "{{.State.ExitCode}}"), "41");
      detach(runtime, "two");
      say("stop", "--time=1", "two");
      assert.equal(inspect("two", "{{.State.ExitCode}}"), "137");
    },
  },
  {
    name: "kill --signal, restart, rename, rm --force",
    run: ({ say, detach, inspect }, runtime) => {
      detach(runtime, "one", "--init");
      say("kill", "--signal=INT", "one");
      assert.equal(say("wait", "one"), "130");
      say("restart", "one");
      say("rename", "one", "two");
      assert.equal(inspect("two", "{{.State.Status}}"), "running");
      say("rm", "--force", "two");
    },
  },
  {
    name: "restart policies",
    run: ({ say, use, inspect }, runtime) => {
      const start = (name: string, policy: string) =>
        say("run", "--detach", `--name=${name}`, `--restart=${policy}`, ...use(runtime), IMAGE, "false");
      start("two", "on-failure:2");
      start("always", "always");
      eventually(() => {
        assert.equal(inspect("two", "{{.RestartCount}} {{.State.Status}}"), "2 exited");
        assert.ok(Number(inspect("always", "{{.RestartCount}}")) > 2);
      });
    },
  },
  {
    name: "healthcheck",
    run: ({ say, detach, inspect }, runtime) => {
      detach(runtime, "one", "--health-cmd=test -e /healthy", "--health-interval=200ms", "--health-retries=1");
      const health = (word: string) => eventually(() => assert.equal(inspect("one", "{{.State.Health.Status}}"), word));
      health("unhealthy");
      say("exec", "one", "touch", "/healthy");
      health("healthy");
    },
  },
  {
    name: "out of memory",
    run: ({ docker, use, inspect }, runtime) => {
      const script = "head -c 100m /dev/zero | tail";
      docker(["run", "--name=one", "--memory=16m", ...use(runtime), IMAGE, "sh", "-c", script]);
      assert.equal(inspect("one", "{{.State.OOMKilled}}"), "true");
    },
  },
  {
    name: "--publish",
    run: (engine, runtime) => {
      serve(engine, runtime, "one", "--publish=127.0.0.1:8080:80");
      eventually(() => assert.equal(engine.place.run(["busybox", "nc", "127.0.0.1", "8080"]).stdout, "served\n"));
    },
  },
  {
    name: "a network of its own, with names",
    run: (engine, runtime) => {
      engine.say("network", "create", "net");
      serve(engine, runtime, "server", "--network=net");
      const answer = /^Name:.*\nAddress.*?((\d+\.){3}\d+)$/m;
      eventually(() => {
        const [, found] = answer.exec(engine.run(runtime, ["--network=net"], "nslookup", "server")) ?? [];
        assert.equal(engine.run(runtime, ["--network=net"], "nc", found, "80"), "served");
      });
    },
  },
  {
    name: "groups that share network, pid and ipc namespaces",
    run: ({ detach, say, run }, runtime) => {
      detach(runtime, "one", "--ipc=shareable");
      const flags = ["--network=container:one", "--pid=container:one", "--ipc=container:one"];
      const namespaces = ["net", "pid", "ipc"].map((name) => `/proc/self/ns/${name}`);
      const links = "for name; do readlink $name; done";
      const first = say("exec", "one", "sh", "-c", links, "sh", ...namespaces);
      assert.equal(run(runtime, flags, "sh", "-c", links, "sh", ...namespaces), first);
    },
  },
  {
    name: "cp, diff, commit, export",
    run: ({ say, detach, place }, runtime) => {
      detach(runtime, "one");
      writeFileSync(place.path("file"), "copied");
      say("cp", place.path("file"), "one:/tmp/file");
      assert.equal(say("exec", "one", "cat", "/tmp/file"), "copied");
      assert.match(say("diff", "one"), /^A \/tmp\/file$/m);
      say("commit", "one", "committed");
      say("export", `--output=${place.path("export.tar")}`, "one");
    },
  },
  {
    name: "volumes shared by containers",
    run: ({ run }, runtime) => {
      run(runtime, ["--volume=shared:/v"], "sh", "-c", "echo kept > /v/file");
      assert.equal(run(runtime, ["--volume=shared:/v:ro"], "cat", "/v/file"), "kept");
    },
  },
  {
    name: "a runtime that adds hooks to config.json, as GPU toolkits do",
    run: ({ place, run }, { name }) => {
      const marker = place.path(`hooked-${name}`);
      writeFileSync(place.path(`add-hooks-${name}.hook`), `#!/bin/sh\ncat > ${marker}\n`, { mode: 0o755 });
      run({ name: `hooks-${name}` }, [], "true");
      assert.equal(JSON.parse(readFileSync(marker, "utf8")).status, "creating");
    },
  },
  {
    name: "checkpoint create, ls, start --checkpoint",
    missing: () => MISSING_CRIU || undefined,
    run: ({ say, use, inspect }, runtime) => {
      const counting = "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done";
      say("run", "--detach", "--name=one", ...use(runtime), IMAGE, "sh", "-c", counting);
      const count = () => Number(say("exec", "one", "cat", "/tmp/n"));
      eventually(() => assert.ok(count() > 10));
      say("checkpoint", "create", "--leave-running", "one", "first");
      const before = count();
      eventually(() => assert.ok(count() > before));
      say("checkpoint", "create", "one", "second");
      assert.equal(inspect("one", "{{.State.Status}}"), "exited");
      assert.equal(say("checkpoint", "ls", "one"), "CHECKPOINT NAME\nfirst\nsecond");
      say("start", "--checkpoint=second", "one");
      assert.ok(count() > before);
    },
  },
  REMAP_FEATURE,
  {
    name: "live-restore: dockerd killed and started again",
    run: async (engine, runtime) => {
      engine.detach(runtime, "one");
      const pid = engine.inspect("one", "{{.State.Pid}}");
      await engine.restart("SIGKILL");
      assert.equal(engine.inspect("one", "{{.State.Status}} {{.State.Pid}}"), `running ${pid}`);
      engine.say("exec", "one", "true");
      engine.say("stop", "--time=0", "one");
    },
  },
  error("a program that is not there", [], ["/nosuch"], /\/nosuch/),
  error("a mount that cannot be made", ["--volume=/etc:/proc/sys"], ["true"], /\/proc\/sys/),
  error("a cgroup that cannot be made", ["--cgroup-parent=/cgroup.procs"], ["true"], /cgroup\.procs/),
  ...DENIALS.map(
    ({ name, missing, flags, why, deny }): Feature<Docker> => ({
      name: `error: a cgroup denied: ${name}`,
      missing,
      run: (engine, runtime) =>
        deny(engine.place, (parent) => {
          fails(engine, runtime, [`--cgroup-parent=/${parent}`, ...flags], ["true"], why);
        }),
    }),
  ),
  ...OPTION_FEATURES,
];

const { missing, engine } = suite("docker", ["dockerd", "/usr/bin/docker"], Docker.open, FEATURES);

const SUBJECT: Subject<Docker> = {
  name: "docker",
  directories: () => [
    "/run/docker/runtime-runc/moby",
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/var/lib/docker/containers",
  ],
  run: ({ command, use }, runtime, _, ...program) => command("run", "--rm", ...use(runtime), IMAGE, ...program),
  detach: ({ command, use }, runtime, id) =>
    command("run", "--detach", `--name=${id}`, ...use(runtime), IMAGE, "sleep", "1000"),
  exec: ({ command }, id, ...program) => command("exec", id, ...program),
  remove: ({ command }, id) => [command("rm", "--force", "--volumes", id)],
  removeUnknown: (docker) => docker.removeUnknown(),
  restart: (docker) => docker.restart("SIGKILL"),
};
speedTest(SUBJECT, 0.9, missing, engine);
loadTests(SUBJECT, missing, engine);
