import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FDRUNC } from "./harness.js";
import { as, giveIds, IDS, ordinary, USER } from "./ordinary.js";

ordinary("podman runs containers by fdrunc", (b, t) => {
  if (spawnSync("podman", ["--version"]).status !== 0) return t.skip("needs podman");
  if (!giveIds(b, t)) return;
  const { s } = b;
  const home = s.path("home");
  for (const directory of [home, join(home, "run")]) {
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, USER, USER);
  }
  const wrapper = s.path("runtime");
  writeFileSync(wrapper, `#!/bin/sh\nexec ${FDRUNC.join(" ")} "$@"\n`, { mode: 0o755 });
  writeFileSync(
    s.path("containers.conf"),
    `[containers]\ndefault_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]\n[engine]\ncgroup_manager = "cgroupfs"\n` +
      `events_logger = "none"\nruntime = "fdrunc"\n[engine.runtimes]\nfdrunc = ["${wrapper}"]\n`,
  );
  const store = `[storage]\ndriver = "vfs"\nrunroot = "${home}/runroot"\ngraphroot = "${home}/storage"\n`;
  writeFileSync(s.path("storage.conf"), store);
  assert.equal(spawnSync("tar", ["-C", s.rootfs, "-cf", s.path("rootfs.tar"), "bin"]).status, 0);
  const podman = (...args: string[]) => {
    const [command, ...rest] = [...as(USER), "podman", ...args];
    return spawnSync(command, rest, {
      ...{ encoding: "utf8", cwd: home, timeout: 120_000, stdio: ["ignore", "pipe", "pipe"] },
      env: {
        PATH: process.env.PATH,
        ...{ HOME: home, USER: "tester", XDG_RUNTIME_DIR: join(home, "run") },
        ...{ CONTAINERS_CONF: s.path("containers.conf"), CONTAINERS_STORAGE_CONF: s.path("storage.conf") },
      },
    });
  };
  const succeeds = (...args: string[]) => {
    const { status, stdout, stderr } = podman(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  try {
    succeeds("import", "--quiet", s.path("rootfs.tar"), "image");
    for (const network of ["none", "host"]) {
      const out = succeeds("run", "--rm", "--network", network, "image", "sh", "-c", "cat /proc/self/uid_map; id -u");
      assert.equal(out.trim().replace(/\s+/g, " "), `0 ${USER} 1 1 ${IDS.first} ${IDS.count} 0`);
    }
    assert.equal(succeeds("run", "--rm", "--network=none", "--user=5:6", "image", "id"), "uid=5 gid=6 groups=6\n");
    succeeds("run", "--rm", "--network=none", "--read-only", "image", "touch", "/tmp/x");
    succeeds("run", "--detach", "--name=d", "--network=none", "image", "sleep", "1000");
    assert.equal(succeeds("inspect", "--format={{.State.Status}}", "d"), "running\n");
    succeeds("rm", "--force", "--time=0", "d");
  } finally {
    podman("rm", "--all", "--force", "--time=0");
    // It leaves a process that holds its user namespace.
    podman("system", "migrate");
  }
});
