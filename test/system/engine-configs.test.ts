import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shared } from "../folders.js";
import { asRoot, cgroupsPath, type FullConfig, type Scene } from "./harness.js";

/** Puts what is here in the place of what was on the engine's machine: root, sources, namespaces, cgroups, hooks. */
function adapt(s: Scene, config: FullConfig): FullConfig {
  config.root.path = s.rootfs;
  config.process.args = ["sh", "-c", "test -e /proc/self/status && hostname && cat /proc/self/status"];
  config.process.terminal = false;
  config.process.cwd = "/";
  config.process.env = ["PATH=/bin"];
  config.hooks = {};
  config.linux.cgroupsPath = cgroupsPath();
  for (const namespace of config.linux.namespaces) delete namespace.path;
  for (const mount of config.mounts)
    if (mount.source?.startsWith("/") && !existsSync(mount.source)) mount.source = sourceOf(s, mount.destination);
  // What takes rights that not every host's root has.
  config.process.rlimits = config.process.rlimits?.filter(({ hard }) => hard <= 1024) ?? [];
  delete config.process.oomScoreAdj;
  return config;
}

/** A source for a bind: files are those that engines bind single files to. */
function sourceOf(s: Scene, destination: string): string {
  const path = s.path("sources", destination.replaceAll("/", "_"));
  mkdirSync(s.path("sources"), { recursive: true });
  if (/\/(hosts|hostname|resolv\.conf|\.containerenv|secrets|termination-log|init)$/.test(destination))
    writeFileSync(path, "");
  else mkdirSync(path, { recursive: true });
  return path;
}

asRoot("configs as engines write them run, with this machine's paths in place of theirs", (s, t) => {
  const folder = shared("engine-configs");
  if (folder === undefined) return t.skip("needs the configurations in ../shared/engine-configs");
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json") && !name.endsWith("-process.json"))) {
    const config = adapt(s, JSON.parse(readFileSync(join(folder, file), "utf8")));
    writeFileSync(s.path("config.json"), JSON.stringify(config));
    const { status, stdout, stderr } = s.run("c", "--config", s.path("config.json"));
    // A privileged container is to have what this machine may not have itself.
    const complaints = stderr.replace(/^fdrunc: warning: process\.capabilities: .* left out: CAP_[A-Z_, ]+\n/, "");
    assert.deepEqual([status, complaints], [0, ""], file);
    if (config.hostname) assert.equal(stdout.split("\n")[0], config.hostname, file);
    assert.match(stdout, new RegExp(`^Seccomp:\\t${config.linux.seccomp ? 2 : 0}$`, "m"), file);
    assert.match(stdout, new RegExp(`^NoNewPrivs:\\t${config.process.noNewPrivileges ? 1 : 0}$`, "m"), file);
    assert.match(stdout, new RegExp(`^Uid:\\t${config.process.user.uid ?? 0}\\t`, "m"), file);
    s.assertNothingLeft();
  }
});
