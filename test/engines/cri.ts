import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { CriClient, type Message } from "./cri-client.js";
import { imageArchive } from "./image.js";
import type { Place } from "./place.js";
import { follow, install, readmeLines } from "./readme-lines.js";
import type { Runtime } from "./runtime.js";
import { answers, succeeds } from "./suite.js";

/** The image that containers are made of, and the one of the process that holds a pod's namespaces. */
export const IMAGE = "docker.io/library/box:1";
const PAUSE = "docker.io/library/pause:1";

/** containerd's configuration before the README's line adds fdrunc to it: as 1.x has it, and 2.x. */
const CONFIGS = [
  `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
`,
  `version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
`,
];

const NETWORK = {
  cniVersion: "1.0.0",
  name: "pods",
  plugins: [
    {
      ...{ type: "bridge", bridge: "pods0", isGateway: true, ipMasq: true },
      ipam: { type: "host-local", ranges: [[{ subnet: "10.85.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

/** What a pod and a container are asked for, beside what all have: messages of api.proto. */
export interface Wanted {
  readonly sandbox?: object;
  readonly pod?: object;
  readonly container?: object;
  readonly resources?: object;
  readonly security?: object;
}

/** A pod's sandbox. */
export interface Pod {
  readonly id: string;
  readonly config: object;
}

/** containerd as the kubelet calls it. */
export class Cri {
  private pods = 0;
  private constructor(
    readonly place: Place,
    readonly title: string,
    private readonly client: CriClient,
  ) {}

  static async open(place: Place): Promise<Cri> {
    install(place);
    for (const directory of ["/etc/containerd", "/etc/cni/net.d"])
      mkdirSync(place.outside(directory), { recursive: true });
    const isNew = / v?[2-9]\./.test(succeeds(place.run(["containerd", "--version"])));
    writeFileSync(place.outside("/etc/containerd/config.toml"), CONFIGS[Number(isNew)]);
    // The first by name is the one that is used.
    writeFileSync(place.outside("/etc/cni/net.d/00-pods.conflist"), JSON.stringify(NETWORK));
    const [line] = readmeLines("containerd");
    succeeds(follow(place, line));
    const log = place.path("containerd.log");
    place.daemon(["containerd"], log, { PATH: process.env.PATH ?? "" });
    await answers(() => place.run(["ctr", "version"]).status === 0, log);
    for (const [name, command] of [[IMAGE], [PAUSE, ["sleep", "2147483647"]]] as [string, string[]?][]) {
      writeFileSync(place.path("image.tar"), imageArchive(name, command));
      succeeds(place.run(["ctr", "--namespace=k8s.io", "images", "import", place.path("image.tar")]));
    }
    const client = CriClient.open(place.outside("/run/containerd/containerd.sock"));
    const { runtime_version: version } = await client.call("Version", { version: "v1" });
    return new Cri(place, `CRI: containerd ${version.replace(/[~+].*/, "")}`, client);
  }

  call(method: string, request: object = {}): Promise<Message> {
    return this.client.call(method, request);
  }

  /** Starts a pod. containerd's configuration knows the runtimes by their names. */
  async pod(runtime: Runtime, { sandbox = {}, pod = {} }: Wanted = {}): Promise<Pod> {
    const name = `pod${this.pods++}`;
    const logs = this.place.path(name);
    mkdirSync(logs);
    const config = {
      metadata: { name, namespace: "default", uid: name, attempt: 0 },
      hostname: "pod",
      log_directory: logs,
      ...sandbox,
      linux: { cgroup_parent: `/${this.place.tag}`, ...pod },
    };
    const { pod_sandbox_id: id } = await this.call("RunPodSandbox", { config, runtime_handler: runtime.name });
    return { id, config };
  }

  /** Makes and starts a container "c", or one of another name. Returns its id. */
  async container(pod: Pod, command: readonly string[], wanted: Wanted = {}, name = "c"): Promise<string> {
    const { container = {}, resources = {}, security = {} } = wanted;
    const config = {
      ...{ metadata: { name, attempt: 0 }, image: { image: IMAGE }, command, log_path: `${name}.log` },
      ...container,
      linux: { resources, security_context: security },
    };
    const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config };
    const { container_id } = await this.call("CreateContainer", request);
    await this.call("StartContainer", { container_id });
    return container_id;
  }

  /** Runs a command in a container. Returns what it puts out; it must succeed. */
  async exec(container_id: string, ...cmd: string[]): Promise<string> {
    const { stdout, stderr, exit_code } = await this.call("ExecSync", { container_id, cmd, timeout: 30 });
    assert.equal(exit_code, 0, String(stderr));
    return String(stdout);
  }

  async status(container_id: string): Promise<Message> {
    return (await this.call("ContainerStatus", { container_id })).status;
  }

  /** Waits for a container's end. Returns its status then. */
  async ended(container_id: string): Promise<Message> {
    for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const status = await this.status(container_id);
      if (status.state === "CONTAINER_EXITED") return status;
      assert.ok(Date.now() < end, `the container is ${status.state}`);
    }
  }

  /** What a container has put out, as its log has it: the stream's name and a line each. */
  log(pod: Pod, name = "c"): string {
    const { log_directory } = pod.config as { log_directory: string };
    return readFileSync(`${log_directory}/${name}.log`, "utf8").replace(/^\S+ (stdout|stderr) [FP] /gm, "$1 ");
  }

  async tidy(): Promise<void> {
    const { items } = await this.call("ListPodSandbox");
    for (const { id: pod_sandbox_id } of items) {
      await this.call("StopPodSandbox", { pod_sandbox_id });
      await this.call("RemovePodSandbox", { pod_sandbox_id });
    }
  }
}
