import assert from "node:assert/strict";
import { chmodSync, existsSync } from "node:fs";
import { IMAGE, type Podman } from "./podman.js";
import type { Runtime } from "./runtime.js";
import { type Feature, succeeds } from "./suite.js";

const USER = "31000";
const HOME = "/run/home";
const TUN = "/dev/net/tun";
const SLIRP = "/usr/bin/slirp4netns";

/**
 * Makes a user of the place's own, who has ids to give, and lets all make network devices, as udev does. Done again, nothing
 * changes.
 */
const MAKE_USER = `set -e
mkdir -p ${HOME} /run/user/${USER}
chown ${USER}:${USER} ${HOME} /run/user/${USER}
grep -q ^tester: /etc/passwd || echo 'tester:x:${USER}:${USER}::${HOME}:/bin/sh' >>/etc/passwd
grep -q ^tester: /etc/group || echo 'tester:x:${USER}:' >>/etc/group
for file in subuid subgid; do echo tester:3100000:65536 >/etc/$file; done
if test -c ${TUN} && test $(stat -c %a ${TUN}) != 666; then
  mknod -m 666 /run/tun c 10 200
  mount --bind /run/tun ${TUN}
fi`;

/**
 * A row in which an ordinary user calls podman: `ok` returns what it puts out, and demands the exit status 0. It needs that
 * paths are there.
 */
function ordinary(
  name: string,
  run: (ok: (...args: string[]) => string, p: Podman) => void,
  ...needs: string[]
): Feature<Podman> {
  return {
    name: `an ordinary user: ${name}`,
    missing: () => {
      const absent = needs.find((path) => !existsSync(path));
      return absent && `needs ${absent}`;
    },
    run(p: Podman, runtime: Runtime) {
      succeeds(p.place.run(["sh", "-c", MAKE_USER]));
      // The image lies there.
      chmodSync(p.place.directory, 0o755);
      const environment = [`HOME=${HOME}`, `XDG_RUNTIME_DIR=/run/user/${USER}`, "USER=tester"];
      const as = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "env", ...environment];
      const command = ["sh", "-c", 'cd; exec podman --runtime "$@"', "podman", runtime.name];
      const podman = (...args: string[]) => p.place.run([...as, ...command, ...args]);
      try {
        succeeds(podman("load", "--quiet", "--input", p.place.path("image.tar")));
        run((...args) => succeeds(podman(...args)), p);
      } finally {
        podman("pod", "rm", "--all", "--force", "--time=0");
        podman("rm", "--all", "--force", "--time=0");
        // A process of podman's holds the user namespace.
        podman("system", "migrate");
      }
    },
  };
}

const NONE = "--network=none";

/** What an ordinary user does with podman. */
export const ROOTLESS: readonly Feature<Podman>[] = [
  ordinary("run, with ids of one's own; networks none and host", (ok) => {
    const script = "cat /proc/self/uid_map; id -u";
    for (const network of [NONE, "--network=host"])
      assert.match(
        ok("run", "--rm", network, IMAGE, "sh", "-c", script),
        new RegExp(`^ +0 +${USER} +1\n +1 +3100000 +65536\n0\n$`),
      );
    assert.equal(ok("run", "--rm", NONE, "--user=5:6", IMAGE, "id", "-u"), "5\n");
    assert.match(ok("run", "--rm", NONE, "--userns=keep-id", IMAGE, "id", "-u"), new RegExp(`^${USER}\n$`));
  }),
  ordinary("run -d, exec, top, logs, kill, wait; volumes, tmpfs", (ok) => {
    ok(
      "run",
      "--detach",
      "--name=c",
      NONE,
      "--volume=v:/v",
      "--tmpfs=/t",
      IMAGE,
      "sh",
      "-c",
      "echo up; exec sleep 1000",
    );
    assert.equal(ok("exec", "c", "sh", "-c", "touch /v/x /t/x && stat -c %u /v/x"), "0\n");
    assert.match(ok("top", "c", "pid", "args"), /1 +sleep 1000/);
    assert.equal(ok("logs", "c"), "up\n");
    ok("kill", "c");
    assert.equal(ok("wait", "c"), "137\n");
  }),
  ordinary(
    "a network of its own by slirp4netns, with a published port",
    (ok, p) => {
      const serve = ["sh", "-c", "echo served >/tmp/index.html; exec httpd -f -p 80 -h /tmp"];
      ok("run", "--detach", "--name=c", "--network=slirp4netns", "--publish=8080:80", IMAGE, ...serve);
      const fetched = p.place.run(["curl", "-s", "--retry", "20", "--retry-connrefused", "127.0.0.1:8080"]);
      assert.equal(succeeds(fetched), "served\n");
      assert.match(ok("exec", "c", "ip", "-4", "addr", "show", "tap0"), / inet 10\.0\.2\.100\/24 /);
    },
    TUN,
    SLIRP,
  ),
  ordinary("a pod", (ok) => {
    ok("pod", "create", "--name=pod", NONE);
    ok("run", "--detach", "--pod=pod", "--name=one", IMAGE, "sleep", "1000");
    const link = ["readlink", "/proc/self/ns/ipc"];
    assert.equal(ok("run", "--rm", "--pod=pod", IMAGE, ...link), ok("exec", "one", ...link));
  }),
  ordinary("build", (ok, p) => {
    const directory = p.place.path("rootless");
    succeeds(p.place.run(["mkdir", "-p", directory]));
    succeeds(p.place.run(["sh", "-c", `printf 'FROM ${IMAGE}\\nRUN id -u >/built\\n' >${directory}/Dockerfile`]));
    ok("build", "--quiet", "--isolation=oci", NONE, "--tag=built", directory);
    assert.equal(ok("run", "--rm", NONE, "built", "cat", "/built"), "0\n");
  }),
];
