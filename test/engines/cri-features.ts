import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cri } from "./cri.js";
import { type Feature, succeeds } from "./suite.js";

const SLEEP = ["sleep", "1000"];
const WEBSOCKET = fileURLToPath(new URL("websocket.js", import.meta.url));

/** Directories that pods leave nothing in. */
const DIRECTORIES = ["/run/netns", "/run/containerd/runc/k8s.io", "/var/lib/cni/networks/pods"];

/** Talks to a stream that the engine offers at a URL, until a message is such. What has come, by channel. */
async function stream(cri: Cri, url: string, input: string, until: RegExp): Promise<Map<number, string>> {
  const { input: pipe, kill, ended } = cri.place.start([process.execPath, WEBSOCKET, url, until.source]);
  const timer = setTimeout(() => kill("SIGKILL"), 30_000);
  pipe.write(input);
  const { status, stdout, stderr } = await ended;
  clearTimeout(timer);
  assert.equal(status, 0, `${stdout}${stderr}`);
  const channels = new Map<number, string>();
  for (const line of stdout.trimEnd().split("\n").filter(Boolean)) {
    const [channel, text] = JSON.parse(line);
    channels.set(channel, (channels.get(channel) ?? "") + text);
  }
  return channels;
}

/** What the kubelet asks of an engine. */
export const FEATURES: readonly Feature<Cri>[] = [
  {
    name: "pod sandbox: RunPodSandbox with runtime_handler, PodSandboxStatus",
    async run(cri, runtime) {
      const { id } = await cri.pod(runtime);
      const { status } = await cri.call("PodSandboxStatus", { pod_sandbox_id: id });
      assert.deepEqual([status.state, status.runtime_handler], ["SANDBOX_READY", runtime.name]);
      assert.match(status.network.ip, /^10\.85\./);
    },
  },
  {
    name: "containers: create, start, status, exit code, log",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      const id = await cri.container(pod, ["sh", "-c", "echo out; echo err >&2; exit 3"]);
      const { exit_code, reason } = await cri.ended(id);
      assert.deepEqual([exit_code, reason], [3, "Error"]);
      assert.deepEqual(cri.log(pod).trimEnd().split("\n").sort(), ["stderr err", "stdout out"]);
    },
  },
  {
    name: "containers of a pod share network, IPC and host name; process ids if asked",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      const pids = { namespace_options: { pid: "POD" } };
      const one = await cri.container(pod, SLEEP, { security: pids }, "one");
      const two = await cri.container(pod, SLEEP, { security: pids }, "two");
      const namespaces = "for kind in net ipc uts pid; do readlink /proc/self/ns/$kind; done; hostname";
      assert.equal(await cri.exec(one, "sh", "-c", namespaces), await cri.exec(two, "sh", "-c", namespaces));
      assert.match(await cri.exec(one, "hostname"), /^pod\n$/);
      assert.match(await cri.exec(one, "ps"), /sleep 1000[\s\S]*sleep 1000/);
    },
  },
  {
    name: "a pod in the host's network",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime, {
        sandbox: { hostname: "" },
        pod: { security_context: { namespace_options: { network: "NODE" } } },
      });
      const id = await cri.container(pod, SLEEP, { security: { namespace_options: { network: "NODE" } } });
      const [mine, theirs] = [
        await cri.exec(id, "readlink", "/proc/self/ns/net"),
        cri.place.run(["readlink", "/proc/self/ns/net"]),
      ];
      assert.equal(mine, succeeds(theirs));
    },
  },
  {
    name: "ExecSync: output, error output, exit code, time limit",
    async run(cri, runtime) {
      const id = await cri.container(await cri.pod(runtime), SLEEP);
      const cmd = ["sh", "-c", "echo out; echo err >&2; exit 5"];
      const { stdout, stderr, exit_code } = await cri.call("ExecSync", { container_id: id, cmd, timeout: 30 });
      assert.deepEqual([String(stdout), String(stderr), exit_code], ["out\n", "err\n", 5]);
      await assert.rejects(cri.call("ExecSync", { container_id: id, cmd: SLEEP, timeout: 1 }), /timeout|DEADLINE/i);
    },
  },
  {
    name: "Exec: a stream for input, output and the exit code",
    async run(cri, runtime) {
      const id = await cri.container(await cri.pod(runtime), SLEEP);
      const cmd = ["sh", "-c", "read x; echo got $x; echo err >&2; exit 4"];
      const request = { container_id: id, cmd, stdin: true, stdout: true, stderr: true };
      const { url } = await cri.call("Exec", request);
      const said = await stream(cri, url, "it\n", /^.3,/);
      assert.deepEqual([said.get(1), said.get(2)], ["got it\n", "err\n"]);
      assert.match(said.get(3) ?? "", /"reason":"ExitCode","message":"4"/);
    },
  },
  {
    name: "Exec with a terminal",
    async run(cri, runtime) {
      const id = await cri.container(await cri.pod(runtime), SLEEP);
      const request = { container_id: id, cmd: ["sh", "-c", "tty; exit"], tty: true, stdin: true, stdout: true };
      const { url } = await cri.call("Exec", request);
      assert.match((await stream(cri, url, "", /^.3,/)).get(1) ?? "", /^\/dev\/pts\/\d+\r\n$/);
    },
  },
  {
    name: "Attach",
    async run(cri, runtime) {
      const container = { stdin: true };
      const id = await cri.container(await cri.pod(runtime), ["sh", "-c", "while read x; do echo got $x; done"], {
        container,
      });
      const { url } = await cri.call("Attach", { container_id: id, stdin: true, stdout: true });
      assert.equal((await stream(cri, url, "one\n", /got one/)).get(1), "got one\n");
    },
  },
  {
    name: "PortForward",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      const id = await cri.container(pod, ["sh", "-c", "echo forwarded >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]);
      await cri.exec(id, "sh", "-c", "while ! wget -q -O /dev/null http://127.0.0.1/; do sleep 0.1; done");
      const { url } = await cri.call("PortForward", { pod_sandbox_id: pod.id, port: [80] });
      const said = await stream(cri, `${url}?port=80`, "GET / HTTP/1.0\r\n\r\n", /forwarded/);
      assert.match(said.get(0) ?? "", /HTTP\/1\.[01] 200 OK[\s\S]*forwarded\n$/);
    },
  },
  {
    name: "network: addresses, pods reach each other, host ports",
    async run(cri, runtime) {
      const ports = { port_mappings: [{ protocol: "TCP", container_port: 80, host_port: 8090 }] };
      const web = await cri.pod(runtime, { sandbox: ports });
      await cri.container(web, ["sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]);
      const { status } = await cri.call("PodSandboxStatus", { pod_sandbox_id: web.id });
      const other = await cri.container(await cri.pod(runtime), SLEEP);
      const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc ${status.network.ip} 80 >/tmp/answer`;
      const fetch = `until ${ask} && grep -q page /tmp/answer; do sleep 0.1; done; cat /tmp/answer`;
      assert.match(await cri.exec(other, "sh", "-c", fetch), /page\n$/);
      const [address] = /[\d.]+(?=\/)/.exec(succeeds(cri.place.run(["ip", "-4", "-o", "addr", "show", "pods0"]))) ?? [];
      assert.equal(succeeds(cri.place.run(["curl", "-s", `http://${address}:8090/`])), "page\n");
    },
  },
  {
    name: "ContainerStats, ListPodSandboxStats",
    async run(cri, runtime) {
      const id = await cri.container(await cri.pod(runtime), SLEEP);
      const { stats } = await cri.call("ContainerStats", { container_id: id });
      assert.ok(Number(stats.memory.working_set_bytes.value) > 0);
      assert.ok(Number(stats.cpu.usage_core_nano_seconds.value) > 0);
      assert.equal((await cri.call("ListContainerStats")).stats.length, 1);
    },
  },
  {
    name: "resources, UpdateContainerResources",
    async run(cri, runtime) {
      const resources = { memory_limit_in_bytes: 64 << 20, cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512 };
      const id = await cri.container(await cri.pod(runtime), SLEEP, { resources });
      const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us";
      const show = () =>
        cri.exec(id, "sh", "-c", `cat ${files} 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max`);
      assert.match(await show(), /^67108864\n50000/);
      const linux = { memory_limit_in_bytes: 128 << 20, cpu_quota: 70_000 };
      await cri.call("UpdateContainerResources", { container_id: id, linux });
      assert.match(await show(), /^134217728\n70000/);
    },
  },
  {
    name: "out of memory",
    async run(cri, runtime) {
      const resources = { memory_limit_in_bytes: 16 << 20, memory_swap_limit_in_bytes: 16 << 20 };
      const id = await cri.container(await cri.pod(runtime), ["sh", "-c", "x=a; while :; do x=$x$x; done"], {
        resources,
      });
      assert.deepEqual([(await cri.ended(id)).exit_code, (await cri.status(id)).reason], [137, "OOMKilled"]);
    },
  },
  {
    name: "StopContainer: with time to end, and without",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      const script = "trap 'exit 9' TERM; touch /tmp/up; while :; do sleep 0.1; done";
      const one = await cri.container(pod, ["sh", "-c", script], {}, "one");
      await cri.exec(one, "sh", "-c", "while ! test -e /tmp/up; do sleep 0.1; done");
      await cri.call("StopContainer", { container_id: one, timeout: 30 });
      assert.equal((await cri.ended(one)).exit_code, 9);
      const two = await cri.container(pod, SLEEP, {}, "two");
      await cri.call("StopContainer", { container_id: two, timeout: 0 });
      assert.equal((await cri.ended(two)).exit_code, 137);
      await cri.call("RemoveContainer", { container_id: two });
      await assert.rejects(cri.status(two), /not.?found/i);
    },
  },
  {
    name: "mounts, environment, directory, user, read-only root, terminal",
    async run(cri, runtime) {
      const directory = `/run/shared-${runtime.name}`;
      mkdirSync(cri.place.outside(directory));
      writeFileSync(cri.place.outside(`${directory}/file`), "mounted");
      const container = {
        ...{ working_dir: "/tmp", envs: [{ key: "A", value: Buffer.from("b") }], tty: true },
        mounts: [{ host_path: directory, container_path: "/m", readonly: true }],
      };
      const security = { run_as_user: { value: 1000 }, run_as_group: { value: 1000 }, readonly_rootfs: true };
      const id = await cri.container(await cri.pod(runtime), SLEEP, { container, security });
      const script = "pwd; echo $A; id -u; cat /m/file; touch /x 2>/dev/null || echo ' no'";
      assert.equal(await cri.exec(id, "sh", "-c", script), "/tmp\nb\n1000\nmounted no\n");
    },
  },
  {
    name: "capabilities, seccomp, privileged",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime, { pod: { security_context: { privileged: true } } });
      const status = ["grep", "-e", "CapEff", "-e", "Seccomp:", "-e", "NoNewPrivs", "/proc/self/status"];
      const security = {
        ...{ capabilities: { drop_capabilities: ["ALL"], add_capabilities: ["KILL"] }, no_new_privs: true },
        seccomp: { profile_type: "RuntimeDefault" },
      };
      const confined = await cri.container(pod, SLEEP, { security }, "confined");
      assert.equal(await cri.exec(confined, ...status), "CapEff:\t0000000000000020\nNoNewPrivs:\t1\nSeccomp:\t2\n");
      const free = await cri.container(pod, SLEEP, { security: { privileged: true } }, "free");
      assert.match(await cri.exec(free, ...status), /^CapEff:\t[0-9a-f]{10,}\nNoNewPrivs:\t0\nSeccomp:\t0\n$/);
    },
  },
  {
    name: "ReopenContainerLog",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      const id = await cri.container(pod, ["sh", "-c", "while :; do echo line; sleep 0.1; done"]);
      const { log_path } = await cri.status(id);
      succeeds(cri.place.run(["mv", log_path, `${log_path}.1`]));
      await cri.call("ReopenContainerLog", { container_id: id });
      succeeds(cri.place.run(["sh", "-c", `while ! test -s ${log_path}; do sleep 0.1; done`]));
      assert.match(cri.log(pod), /^stdout line$/m);
    },
  },
  {
    name: "pods stopped and removed, with all that was theirs",
    async run(cri, runtime) {
      // The bridge stays.
      await cri.pod(runtime);
      await cri.tidy();
      const before = cri.place.census(DIRECTORIES);
      const pods = await Promise.all([0, 1, 2].map(() => cri.pod(runtime)));
      await Promise.all(pods.map((pod) => cri.container(pod, SLEEP)));
      await cri.tidy();
      const more = () =>
        cri.place.census(DIRECTORIES).filter((line) => !before.includes(line) && !/last_reserved/.test(line));
      for (const end = Date.now() + 10_000; more().length > 0 && Date.now() < end; )
        await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(more(), []);
    },
  },
  {
    name: "errors in one readable line",
    async run(cri, runtime) {
      const pod = await cri.pod(runtime);
      await assert.rejects(cri.container(pod, ["nothing"]), ({ message }: Error) => {
        assert.match(message, /exec:? "nothing": executable file not found/);
        assert.doesNotMatch(message, /\n/);
        return true;
      });
    },
  },
];
