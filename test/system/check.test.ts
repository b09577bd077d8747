import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { CHECKS, type Report } from "../../src/check/check-host.js";
import { asRoot, type Scene } from "./harness.js";
import { as, isForAll, USER } from "./ordinary.js";

const reports = (s: Scene, calling: Parameters<Scene["fdrunc"]>[1] = {}): Map<string, Report> =>
  new Map(
    (JSON.parse(s.fdrunc(["check", "--json"], calling).succeeds()) as Report[]).map((report) => [report.name, report]),
  );

asRoot("check tells how it stands with each thing, as text and as JSON", (s) => {
  const all = reports(s);
  assert.deepEqual(
    [...all.keys()],
    CHECKS.map(({ name }) => name),
  );
  for (const { name, state, advice } of all.values()) {
    assert.ok(["ok", "partly", "missing", "unknown", "unused"].includes(state), name);
    assert.equal(advice === undefined, state === "ok" || state === "unused", name);
  }
  const release = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  assert.ok(all.get("kernel")?.found.startsWith(`${release} on `));
  for (const type of ["mount", "pid", "network", "ipc", "uts"]) assert.equal(all.get(`${type} namespace`)?.state, "ok");
  assert.equal(all.get("cgroup controller memory")?.state, "ok");
  const lines = s.fdrunc(["check"]).succeeds().trimEnd().split("\n");
  const advised = [...all.values()].filter(({ advice }) => advice !== undefined);
  assert.equal(lines.length, all.size + advised.length);
  for (const { name, state, found } of all.values())
    assert.ok(
      lines.some((line) => line.startsWith(`${state.padEnd(9)}${name}: ${found}`)),
      name,
    );
});

asRoot("check looks at the machine as it is: sysctls, ranges of ids, programs in $PATH", (s) => {
  s.replaceFile("/proc/sys/user/max_time_namespaces", "0\n");
  const file = existsSync("/etc/subuid") ? "/etc/subuid" : undefined;
  if (file !== undefined) s.replaceFile(file, "somebody:100000:65536\n");
  const directory = s.path("programs");
  mkdirSync(directory);
  writeFileSync(`${directory}/criu`, '#!/bin/sh\n[ "$1" = check ] && exit 1\necho Version: 9.8.7\n');
  chmodSync(`${directory}/criu`, 0o755);
  const all = reports(s, { env: { PATH: directory } });
  const { state, advice } = all.get("time namespace") as Report;
  assert.deepEqual({ state, advice }, { state: "missing", advice: "sysctl user.max_time_namespaces=10000" });
  if (file !== undefined) assert.equal(all.get(file)?.found, "ranges for somebody");
  assert.match(all.get("criu")?.found ?? "", /criu 9\.8\.7, which "criu check" finds fault with$/);
  assert.equal(all.get("newuidmap")?.state, "missing");
  assert.equal(all.get("docker")?.state, "unused");
});

asRoot("check ends with status 1 where usual containers cannot run, and tells why", (s) => {
  s.replaceFile("/proc/sys/user/max_pid_namespaces", "0\n");
  const { status, stdout } = s.fdrunc(["check"]);
  assert.equal(status, 1);
  assert.match(stdout, /^missing {2}pid namespace: user\.max_pid_namespaces is 0 \(for .*\)\n {9}what to do: sysctl /m);
});

asRoot("an ordinary user is told what rootless containers need", (s, t) => {
  if (!isForAll) return t.skip("needs an fdrunc that everybody can execute");
  const all = reports(s, { under: as(USER) });
  assert.equal(all.get("privileges")?.found, "an ordinary user: containers are rootless");
  assert.equal(all.get("id-mapped mounts")?.state, "unknown");
  assert.equal(all.get("cgroup delegation")?.state, "missing");
  assert.equal(all.get("/etc/subuid")?.found, "gives the caller no range");
});
