import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { IMAGE, type Podman } from "./podman.js";
import type { Feature } from "./suite.js";
import { succeeds } from "./suite.js";

const KUBE = `apiVersion: v1
kind: Pod
metadata:
  name: kube
spec:
  restartPolicy: Never
  containers:
  - name: one
    image: ${IMAGE}
    command: [sh, -c, "echo first >/shared/x; exec sleep 1000"]
    resources: {limits: {memory: 64Mi}}
    volumeMounts: [{name: shared, mountPath: /shared}]
  - name: two
    image: ${IMAGE}
    command: [sh, -c, "while ! test -s /shared/x; do sleep 0.1; done; cat /shared/x; exec sleep 1000"]
    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}
    volumeMounts: [{name: shared, mountPath: /shared}]
  volumes: [{name: shared, emptyDir: {}}]
`;

/** Containers that share. */
export const PODS: readonly Feature<Podman>[] = [
  {
    name: "pods: shared namespaces, a published port, stop, start, rm",
    run(p, runtime) {
      const make = ["pod", "create", "--name=pod", "--publish=8081:80", `--cgroup-parent=/${p.place.tag}`];
      p.ok("--runtime", runtime.name, ...make);
      const add = (name: string, ...command: string[]) =>
        succeeds(
          p.podman("--runtime", runtime.name, "run", "--detach", "--pod=pod", `--name=${name}`, IMAGE, ...command),
        );
      add("web", "sh", "-c", "echo pod >/tmp/index.html; exec httpd -f -p 80 -h /tmp");
      add("other", "sleep", "1000");
      const namespaces = (name: string) =>
        p.ok("exec", name, "sh", "-c", "for kind in net ipc uts; do readlink /proc/self/ns/$kind; done");
      assert.equal(namespaces("web"), namespaces("other"));
      const fetch = () =>
        succeeds(p.place.run(["curl", "-s", "--retry", "20", "--retry-connrefused", "127.0.0.1:8081"]));
      assert.equal(fetch(), "pod\n");
      p.ok("pod", "pause", "pod");
      assert.equal(p.inspect("{{.State.Status}}", "web"), "paused");
      p.ok("pod", "unpause", "pod");
      assert.match(p.ok("pod", "top", "pod", "args"), /httpd/);
      p.ok("pod", "restart", "pod");
      assert.equal(fetch(), "pod\n");
      p.ok("pod", "stop", "--time=0", "pod");
      p.ok("pod", "rm", "pod");
      assert.equal(p.ok("ps", "--all", "--quiet"), "");
    },
  },
  {
    name: "pods: a shared process id namespace",
    run(p, runtime) {
      p.ok(
        "--runtime",
        runtime.name,
        "pod",
        "create",
        "--name=pod",
        "--share=pid,ipc",
        `--cgroup-parent=/${p.place.tag}`,
      );
      const run = ["--runtime", runtime.name, "run", "--pod=pod", "--network=none"];
      p.ok(...run, "--detach", IMAGE, "sleep", "1234");
      assert.match(p.ok(...run, "--rm", IMAGE, "ps"), /sleep 1234/);
    },
  },
  {
    name: "play kube, and --down",
    run(p, runtime) {
      const file = p.place.path("kube.yaml");
      writeFileSync(file, KUBE);
      p.ok("--runtime", runtime.name, "play", "kube", "--network=none", file);
      try {
        assert.equal(
          p.ok("exec", "kube-two", "sh", "-c", "while ! test -s /shared/x; do sleep 0.1; done; id -u"),
          "1000\n",
        );
        assert.equal(p.ok("logs", "kube-two"), "first\n");
        assert.equal(p.inspect("{{.HostConfig.Memory}}", "kube-one"), "67108864");
      } finally {
        p.ok("play", "kube", "--down", file);
      }
      assert.equal(p.ok("ps", "--all", "--quiet"), "");
    },
  },
];
