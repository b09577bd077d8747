import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { MISSING_CRIU } from "../system/criu.js";
import { IMAGE, Podman } from "./podman.js";
import { ERRORS } from "./podman-errors.js";
import { loadTests } from "./podman-load.js";
import { PODS } from "./podman-pods.js";
import { ROOTLESS } from "./podman-rootless.js";
import { type Feature, succeeds, suite } from "./suite.js";

const PROFILE = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
};

/** A file that conmon makes in its working directory, which is the machine's root, where a container lacks memory. */
const OOM = "/oom";

const FEATURES: readonly Feature<Podman>[] = [
  {
    name: "run: output, process id 1, exit status",
    run(p, runtime) {
      const { status, stdout, stderr } = p.run(runtime, [], "sh", "-c", "echo $$; echo no >&2; exit 3");
      assert.deepEqual({ status, stdout, stderr }, { status: 3, stdout: "1\n", stderr: "no\n" });
    },
  },
  {
    name: "run -i: input",
    run(p, runtime) {
      const args = p.create(runtime, "run", "--rm", "-i", IMAGE, "tr", "a-z", "A-Z");
      assert.equal(succeeds(p.call(args, { input: "text" })), "TEXT");
    },
  },
  {
    name: "run -t: a terminal",
    run: (p, runtime) =>
      assert.match(p.sh(runtime, ["-t"], "tty; test -t 0 && echo yes"), /^\/dev\/pts\/0\r\nyes\r\n$/),
  },
  {
    name: "run -d, logs, wait, start -a",
    run(p, runtime) {
      p.start(runtime, [], "sh", "-c", "echo one; exit 5");
      assert.equal(p.ok("wait", "c"), "5\n");
      assert.equal(p.ok("logs", "c"), "one\n");
      const { status, stdout } = p.podman("start", "--attach", "c");
      assert.deepEqual({ status, stdout }, { status: 5, stdout: "one\n" });
    },
  },
  {
    name: "options of the process: user, groups, directory, environment, umask, host name",
    run(p, runtime) {
      const options = [
        "--user=1000:1000",
        "--group-add=7",
        "--workdir=/tmp",
        "--env=A=b",
        "--umask=27",
        "--hostname=h",
      ];
      const out = p.sh(runtime, options, "id -u; id -G; pwd; echo $A; umask; hostname");
      assert.equal(out, "1000\n1000 7\n/tmp\nb\n0027\nh\n");
    },
  },
  {
    name: "exec: output, exit status, user, directory, environment, detached",
    run(p, runtime) {
      p.start(runtime);
      const flags = ["--env=A=b", "--workdir=/tmp", "--user=1000:1000"];
      const { status, stdout } = p.podman("exec", ...flags, "c", "sh", "-c", "echo $A; pwd; id -u; exit 7");
      assert.deepEqual({ status, stdout }, { status: 7, stdout: "b\n/tmp\n1000\n" });
      p.ok("exec", "--detach", "c", "touch", "/tmp/done");
      p.ok("exec", "c", "sh", "-c", "while ! test -e /tmp/done; do sleep 0.1; done");
      assert.equal(succeeds(p.call(["exec", "-i", "c", "cat"], { input: "in" })), "in");
    },
  },
  {
    name: "exec -t",
    run(p, runtime) {
      p.start(runtime);
      assert.equal(p.ok("exec", "-t", "c", "sh", "-c", "test -t 1 && echo yes"), "yes\r\n");
    },
  },
  {
    name: "attach",
    run(p, runtime) {
      p.start(runtime, ["-i"], "sh", "-c", "read x; echo got $x");
      assert.equal(succeeds(p.call(["attach", "c"], { input: "it\n" })).trimEnd(), "got it");
    },
  },
  {
    name: "stop, restart, start; kill with a signal",
    run(p, runtime) {
      const script = "trap 'exit 9' TERM; trap 'echo usr >>/tmp/s' USR1; touch /tmp/up; while :; do sleep 0.1; done";
      p.start(runtime, [], "sh", "-c", script);
      const up = () => p.ok("exec", "c", "sh", "-c", "while ! test -e /tmp/up; do sleep 0.1; done; rm /tmp/up");
      up();
      p.ok("kill", "--signal=USR1", "c");
      p.ok("exec", "c", "sh", "-c", "while ! test -s /tmp/s; do sleep 0.1; done");
      p.ok("restart", "--time=30", "c");
      up();
      p.ok("stop", "--time=30", "c");
      assert.equal(p.inspect("{{.State.Status}} {{.State.ExitCode}}"), "exited 9");
      p.ok("start", "c");
      up();
      p.ok("kill", "c");
      assert.equal(p.ok("wait", "c"), "137\n");
    },
  },
  {
    name: "stop of a process that ignores it",
    run(p, runtime) {
      p.start(runtime, [], "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done");
      p.podman("stop", "--time=1", "c");
      assert.equal(p.inspect("{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
    },
  },
  {
    name: "rm -f of a running container",
    run(p, runtime) {
      p.start(runtime);
      p.ok("rm", "--force", "--time=0", "c");
      assert.equal(p.ok("ps", "--all", "--quiet"), "");
    },
  },
  {
    name: "pause, unpause",
    run(p, runtime) {
      p.start(runtime);
      p.ok("pause", "c");
      assert.equal(p.inspect("{{.State.Status}}"), "paused");
      p.ok("unpause", "c");
      assert.equal(p.ok("exec", "c", "echo", "on"), "on\n");
    },
  },
  {
    name: "top, stats",
    run(p, runtime) {
      p.start(runtime);
      assert.match(p.ok("top", "c", "pid", "user", "args"), /\n1 +root +sleep 1000/);
      assert.match(p.ok("stats", "--no-stream", "--format={{.Name}} {{.PIDS}} {{.MemUsage}}", "c"), /^c 1 \S*B \/ /);
    },
  },
  {
    name: "update",
    run(p, runtime) {
      p.start(runtime);
      p.ok("update", "--memory=64m", "--cpus=0.5", "c");
      const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us";
      const unified = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max";
      assert.match(
        p.ok("exec", "c", "sh", "-c", `cat ${files} 2>/dev/null || cat ${unified}`),
        /^67108864\n50000( 100000)?\n$/,
      );
    },
  },
  {
    name: "limits: memory, cpus, pids; out of memory",
    run(p, runtime) {
      const wasThere = existsSync(OOM);
      try {
        const options = ["--memory=16m", "--memory-swap=16m"];
        assert.equal(p.run(runtime, options, "sh", "-c", "x=a; while :; do x=$x$x; done").status, 137);
        const script = "sleep 2 & sleep 2 & sleep 2 & wait";
        assert.match(p.run(runtime, ["--pids-limit=3", "--cpus=0.5"], "sh", "-c", script).stderr, /fork/);
      } finally {
        if (!wasThere) rmSync(OOM, { force: true });
      }
    },
  },
  {
    name: "ulimit, sysctl, shm-size",
    run(p, runtime) {
      const options = ["--ulimit=nofile=77:88", "--ulimit=nproc=99:99", "--sysctl=kernel.msgmax=9000", "--shm-size=1m"];
      const script = "ulimit -n; cat /proc/sys/kernel/msgmax; df -k /dev/shm | awk 'END { print $2 }'";
      assert.equal(p.sh(runtime, options, script), "77\n9000\n1024\n");
    },
  },
  {
    name: "volumes: named, bound, read-only",
    run(p, runtime) {
      p.sh(runtime, ["--volume=v:/x"], "echo text >/x/y");
      assert.equal(p.sh(runtime, ["--volume=v:/x:ro"], "cat /x/y; touch /x/z 2>/dev/null || echo no"), "text\nno\n");
      writeFileSync(p.place.path("file"), "bound");
      assert.equal(p.sh(runtime, [`--volume=${p.place.directory}:/b:ro`], "cat /b/file"), "bound");
    },
  },
  {
    name: "tmpfs, read-only root",
    run(p, runtime) {
      const options = ["--tmpfs=/x:size=1m,mode=700", "--read-only"];
      const script = "stat -c %a /x; df -k /x | awk 'END { print $2 }'; touch /tmp/t; touch /t 2>/dev/null || echo no";
      assert.equal(p.sh(runtime, options, script), "700\n1024\nno\n");
    },
  },
  {
    name: "devices",
    run(p, runtime) {
      const script = "head -c 2 /dev/nul | od -An -tx1; echo >/dev/nul || echo no";
      const { stdout } = p.run(runtime, ["--device=/dev/zero:/dev/nul:rw"], "sh", "-c", script);
      assert.equal(stdout, " 00 00\n");
    },
  },
  {
    name: "--init",
    run: (p, runtime) => assert.equal(p.sh(runtime, ["--init"], "cat /proc/1/comm"), "podman-init\n"),
  },
  {
    name: "--systemd=always and =false",
    run(p, runtime) {
      const script = "grep -c ' /run/lock tmpfs' /proc/mounts";
      assert.equal(p.sh(runtime, ["--systemd=always"], script), "1\n");
      assert.equal(p.run(runtime, ["--systemd=false"], "sh", "-c", script).stdout, "0\n");
    },
  },
  {
    name: "seccomp: the default profile, one of one's own, none",
    run(p, runtime) {
      const file = p.place.path("seccomp.json");
      writeFileSync(file, JSON.stringify(PROFILE));
      const mode = (...options: string[]) => p.sh(runtime, options, "grep Seccomp: /proc/self/status");
      assert.equal(mode(), "Seccomp:\t2\n");
      assert.equal(mode("--security-opt=seccomp=unconfined"), "Seccomp:\t0\n");
      const { status, stderr } = p.run(runtime, [`--security-opt=seccomp=${file}`], "mkdir", "/tmp/x");
      assert.equal(status, 1);
      assert.match(stderr, /Operation not permitted/);
    },
  },
  {
    name: "capabilities, no-new-privileges",
    run(p, runtime) {
      const options = ["--cap-drop=all", "--cap-add=kill", "--security-opt=no-new-privileges"];
      assert.equal(
        p.sh(runtime, options, "grep -e CapEff -e CapInh -e NoNewPrivs /proc/self/status"),
        "CapInh:\t0000000000000000\nCapEff:\t0000000000000020\nNoNewPrivs:\t1\n",
      );
    },
  },
  {
    name: "--privileged",
    run: (p, runtime) => assert.match(p.sh(runtime, ["--privileged"], "mount -t tmpfs x /tmp && ls /dev"), /^zero$/m),
  },
  {
    name: "user namespaces: --uidmap, --userns=auto",
    run(p, runtime) {
      const map = ["--uidmap=0:100000:1000", "--gidmap=0:200000:1000"];
      assert.match(p.sh(runtime, map, "cat /proc/self/[ug]id_map"), /^ +0 +200000 +1000\n +0 +100000 +1000\n$/);
      for (const file of ["subuid", "subgid"])
        writeFileSync(p.place.outside(`/etc/${file}`), "containers:2000000:65536\n");
      assert.match(p.sh(runtime, ["--userns=auto:size=500"], "cat /proc/self/uid_map"), /^ +0 +2000000 +500\n$/);
    },
  },
  {
    name: "namespaces of the host and of another container",
    run(p, runtime) {
      const kinds = ["pid", "ipc", "uts", "network"].map((kind) => `--${kind}=host`);
      const links = "for kind in ipc uts net; do readlink /proc/self/ns/$kind; done";
      assert.equal(p.sh(runtime, kinds, links), succeeds(p.place.run(["sh", "-c", links])));
      p.start(runtime);
      const own = p.ok("exec", "c", "sh", "-c", links);
      const joined = ["ipc", "uts", "network"].map((kind) => `--${kind}=container:c`);
      assert.equal(p.sh(runtime, joined, links), own);
      assert.equal(p.sh(runtime, ["--pid=container:c"], "cat /proc/1/comm"), "sleep\n");
    },
  },
  {
    name: "cgroup namespaces: --cgroupns",
    run(p, runtime) {
      assert.match(p.sh(runtime, ["--cgroupns=private"], "cat /proc/self/cgroup"), /:memory:\/$|^0::\/$/m);
      assert.match(p.sh(runtime, ["--cgroupns=host"], "cat /proc/self/cgroup"), new RegExp(p.place.tag));
    },
  },
  {
    name: "networks: a bridge with an address, published ports, names",
    run(p, runtime) {
      const serve = ["sh", "-c", "echo served >/tmp/index.html; exec httpd -f -p 80 -h /tmp"];
      p.start(runtime, ["--network=bridge", "--publish=8080:80"], ...serve);
      assert.match(p.ok("exec", "c", "ip", "-4", "addr", "show", "eth0"), / inet 10\./);
      const fetched = p.place.run(["curl", "-s", "--retry", "20", "--retry-connrefused", "127.0.0.1:8080"]);
      assert.equal(succeeds(fetched), "served\n");
      assert.equal(p.sh(runtime, ["--network=bridge"], "ip route | grep -c ^default"), "1\n");
    },
  },
  {
    name: "health checks",
    run(p, runtime) {
      p.start(runtime, ["--health-cmd=test -e /tmp/ok", "--health-interval=disable"]);
      assert.deepEqual(
        [p.podman("healthcheck", "run", "c").status, p.inspect("{{.State.Health.Status}}")],
        [1, "starting"],
      );
      p.ok("exec", "c", "touch", "/tmp/ok");
      p.ok("healthcheck", "run", "c");
      assert.equal(p.inspect("{{.State.Health.Status}}"), "healthy");
    },
  },
  {
    name: "restart policies",
    run(p, runtime) {
      const args = p.create(runtime, "run", "--name=c", "--restart=on-failure:2", IMAGE, "sh", "-c", "exit 3");
      assert.equal(p.call(args).status, 3);
      assert.equal(p.inspect("{{.RestartCount}} {{.State.ExitCode}}"), "2 3");
    },
  },
  {
    name: "cp, diff, commit, export",
    run(p, runtime) {
      p.start(runtime);
      writeFileSync(p.place.path("in"), "copied");
      p.ok("cp", p.place.path("in"), "c:/tmp/in");
      assert.equal(p.ok("exec", "c", "cat", "/tmp/in"), "copied");
      assert.match(p.ok("diff", "c"), /A \/tmp\/in/);
      p.ok("commit", "--quiet", "c", "other");
      assert.equal(succeeds(p.podman("run", "--rm", "--network=none", "other", "cat", "/tmp/in")), "copied");
      p.ok("rmi", "other");
    },
  },
  {
    name: "hooks of a hooks directory",
    run(p, runtime) {
      const directory = p.place.path("hooks");
      const out = p.place.path("hook-ran");
      succeeds(p.place.run(["mkdir", "-p", directory]));
      const hook = {
        ...{ version: "1.0.0", when: { always: true }, stages: ["createRuntime"] },
        hook: { path: "/bin/sh", args: ["sh", "-c", `grep -o '"status": *"[a-z]*"' >${out}`] },
      };
      writeFileSync(`${directory}/hook.json`, JSON.stringify(hook));
      const args = p.create(runtime, "run", "--rm", IMAGE, "true");
      succeeds(p.call(["--hooks-dir", directory, ...args]));
      assert.match(succeeds(p.place.run(["cat", out])), /creat(ing|ed)/);
      succeeds(p.place.run(["rm", out]));
    },
  },
  {
    name: "checkpoint, restore",
    missing: () => MISSING_CRIU || undefined,
    run(p, runtime) {
      p.start(runtime, [], "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i >/tmp/i; sleep 0.1; done");
      const count = () =>
        Number(p.ok("exec", "c", "sh", "-c", "while ! test -s /tmp/i; do sleep 0.1; done; cat /tmp/i"));
      count();
      p.ok("container", "checkpoint", "c");
      assert.equal(p.inspect("{{.State.Status}} {{.State.Checkpointed}}"), "exited true");
      p.ok("container", "restore", "c");
      assert.ok(count() > 1);
      const archive = p.place.path("checkpoint.tar");
      p.ok("container", "checkpoint", `--export=${archive}`, "c");
      p.ok("rm", "--force", "c");
      p.ok("--runtime", runtime.name, "container", "restore", `--import=${archive}`);
      assert.equal(p.inspect("{{.State.Status}}"), "running");
    },
  },
  {
    name: "generate systemd, kube and spec",
    run(p, runtime) {
      p.start(runtime);
      assert.match(p.ok("generate", "systemd", "--new", "c"), new RegExp(`--runtime ${runtime.name}`));
      assert.match(p.ok("generate", "kube", "c"), /^kind: Pod$/m);
      assert.equal(JSON.parse(p.ok("generate", "spec", "--compact", "c")).name.startsWith("c"), true);
    },
  },
  {
    name: "build, by the runtime",
    run(p, runtime) {
      const directory = p.place.path("context");
      succeeds(p.place.run(["mkdir", "-p", directory]));
      writeFileSync(`${directory}/Dockerfile`, `FROM ${IMAGE}\nRUN echo built >/built && id -u\nCMD cat /built\n`);
      const build = ["build", "--quiet", "--isolation=oci", "--network=none", "--tag=built", directory];
      p.ok("--runtime", runtime.name, ...build);
      assert.equal(p.ok("--runtime", runtime.name, "run", "--rm", "--network=none", "built"), "built\n");
      p.ok("rmi", "built");
    },
  },
  {
    name: "buildah from, run, rm",
    run(p, runtime) {
      const buildah = (...args: string[]) => succeeds(p.place.run(["buildah", ...args]));
      const name = buildah("from", IMAGE).trim();
      try {
        const run = ["run", "--runtime", runtime.path, "--isolation=oci", "--network=none", name, "--"];
        assert.equal(buildah(...run, "sh", "-c", "echo $$; echo ran >/h; cat /h"), "1\nran\n");
        const { status } = p.place.run(["buildah", ...run, "sh", "-c", "exit 4"]);
        assert.equal(status, 4);
      } finally {
        buildah("rm", name);
      }
    },
  },
  ...PODS,
  ...ROOTLESS,
  ...ERRORS,
];

const { missing, engine } = suite(
  "podman",
  ["podman", "conmon", "/usr/lib/podman/netavark", "buildah", "curl"],
  Podman.open,
  FEATURES,
);

loadTests(missing, engine);
