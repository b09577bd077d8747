import assert from "node:assert/strict";

import { test } from "node:test";
import type { Check, Finding } from "../../src/check/check.js";
import { CHECKS, checkHost } from "../../src/check/check-host.js";
import type { Host } from "../../src/check/host.js";

/** A host of these files and programs, a program with what it says of its version. */
function host(files: Record<string, string>, programs: Record<string, string> = {}, more: Partial<Host> = {}): Host {
  return {
    uid: 0,
    privileged: true,
    home: "/root",
    read: (path) => files[path],
    list: (path) => {
      const directory = path.replace(/\/?$/, "/");
      const inside = Object.keys(files).filter((file) => file.startsWith(directory));
      return [...new Set(inside.map((file) => file.slice(directory.length).split("/")[0]))].sort();
    },
    may: (path) => path in files,
    program: (name) => (name in programs ? `/usr/bin/${name}` : undefined),
    ask: (program) => programs[program.slice("/usr/bin/".length)],
    ...more,
  };
}

function look(name: string, on: Host): Finding {
  const check = CHECKS.find((one) => one.name === name);
  assert.ok(check, name);
  return check.look(on);
}

const CASES: [title: string, name: string, on: Host, state: string, found: RegExp][] = [
  ["an old kernel", "kernel", host({ "/proc/sys/kernel/osrelease": "5.10.0-1-amd64\n" }), "missing", /^5\.10\.0-1/],
  ["the oldest that does", "kernel", host({ "/proc/sys/kernel/osrelease": "5.12.0\n" }), "ok", /^5\.12\.0 on/],
  ["a new one", "kernel", host({ "/proc/sys/kernel/osrelease": "6.1.0\n" }), "ok", /^6\.1/],
  ["a namespace that is not built in", "time namespace", host({ "/proc/self/ns/mnt": "" }), "missing", /has none/],
  [
    "namespaces that a sysctl forbids",
    "user namespace",
    host({ "/proc/self/ns/user": "", "/proc/sys/user/max_user_namespaces": "0\n" }),
    "missing",
    /^user\.max_user_namespaces is 0$/,
  ],
  ["mounts that only root can map", "id-mapped mounts", host({}, {}, { privileged: false }), "unknown", /only root/],
  ["no seccomp", "seccomp", host({}), "missing", /no filters/],
  [
    "a kernel before logged calls",
    "seccomp",
    host({ "/proc/sys/kernel/seccomp/actions_avail": "kill_process kill_thread trap errno trace allow\n" }),
    "partly",
    /^without log$/,
  ],
  ["no agents", "seccomp notify", host({}), "missing", /user_notif/],
  [
    "agents",
    "seccomp notify",
    host({ "/proc/sys/kernel/seccomp/actions_avail": "errno user_notif trace\n" }),
    "ok",
    /user_notif/,
  ],
  ["AppArmor", "AppArmor", host({ "/sys/module/apparmor/parameters/enabled": "Y\n" }), "ok", /in force/],
  ["AppArmor switched off", "AppArmor", host({ "/sys/module/apparmor/parameters/enabled": "N\n" }), "missing", /not/],
  [
    "SELinux",
    "SELinux",
    host({ "/proc/filesystems": "nodev\tselinuxfs\n", "/sys/fs/selinux/enforce": "1" }),
    "ok",
    /^enforcing$/,
  ],
  [
    "a file system in a module",
    "overlay",
    host({
      "/proc/filesystems": "nodev\tproc\n",
      "/proc/sys/kernel/osrelease": "6.1.0\n",
      "/lib/modules/6.1.0/modules.dep": "kernel/fs/overlayfs/overlay.ko.xz:\n",
    }),
    "ok",
    /module/,
  ],
  ["a file system that is nowhere", "btrfs", host({ "/proc/filesystems": "\text4\n" }), "missing", /neither/],
  ["no systemd", "systemd", host({}), "missing", /does not run/],
  ["systemd", "systemd", host({ "/run/systemd/system/x": "" }), "ok", /started/],
  ["no criu", "criu", host({}), "missing", /\$PATH/],
  ["criu", "criu", host({}, { criu: "Version: 4.2.1\n" }), "ok", /^\/usr\/bin\/criu 4\.2\.1$/],
  [
    "a criu that does not go with the kernel",
    "criu",
    host({}, { criu: "" }, { ask: (_, argument) => (argument === "check" ? undefined : "Version: 3.17.1\n") }),
    "partly",
    /3\.17\.1, which "criu check" finds fault with/,
  ],
  [
    "a Debian that keeps user namespaces from users",
    "unprivileged user namespaces",
    host({ "/proc/sys/kernel/unprivileged_userns_clone": "0\n" }),
    "missing",
    /^kernel\.unprivileged_userns_clone is 0$/,
  ],
  [
    "an Ubuntu that does",
    "unprivileged user namespaces",
    host({ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" }),
    "missing",
    /^kernel\.apparmor_restrict_unprivileged_userns is 1$/,
  ],
  ["no newuidmap", "newuidmap", host({}), "missing", /\$PATH/],
  [
    "a program without rights",
    "newgidmap",
    host({}, { newgidmap: "" }, { program: () => "/bin/sh" }),
    "partly",
    /setuid/,
  ],
  ["ranges, to root", "/etc/subuid", host({ "/etc/subuid": "# x\na:100000:65536\nb:200000:9\n" }), "ok", /for a b$/],
  [
    "ranges of others",
    "/etc/subgid",
    host({ "/etc/subgid": "a:100000:65536\n" }, {}, { uid: 31_000 }),
    "missing",
    /the caller/,
  ],
  ["an own range", "/etc/subuid", host({ "/etc/subuid": "31000:7:9\n" }, {}, { uid: 31_000 }), "ok", /^31000:7:9$/],
  ["an engine that is not there", "docker", host({}), "unused", /not installed/],
  [
    "an engine that does not know fdrunc",
    "podman",
    host({}, { podman: "podman version 4.3.1" }),
    "missing",
    /^4\.3\.1, /,
  ],
  ["kubelet", "kubelet", host({}, { kubelet: "Kubernetes v1.31.2\n" }), "ok", /^1\.31\.2; /],
];

for (const [title, name, on, state, found] of CASES)
  test(`${name}: ${title}`, () => {
    const finding = look(name, on);
    assert.equal(finding.state, state);
    assert.match(finding.found, found);
  });

/** By engine: its program's word for its version, a file, and what stands in it when fdrunc is registered as PATH. */
const REGISTERED: [engine: string, program: string, version: string, file: string, text: string][] = [
  [
    "docker",
    "dockerd",
    "Docker version 20.10.24, build x",
    "/etc/docker/daemon.json",
    '{"runtimes":{"f":{"path":"PATH"}}}',
  ],
  [
    "containerd",
    "containerd",
    "containerd github.com/containerd/containerd 1.6.20 x",
    "/etc/containerd/config.toml",
    '[plugins.x.runtimes.f.options]\n  BinaryName = "PATH"\n',
  ],
  [
    "podman",
    "podman",
    "podman version 4.3.1",
    "/root/.config/containers/containers.conf.d/f.conf",
    '[engine.runtimes]\nf = [\n  "PATH",\n]\n',
  ],
  ["CRI-O", "crio", "crio version 1.30.1", "/etc/crio/crio.conf.d/f.conf", '[x]\nruntime_path = "PATH"\n'],
];

for (const [engine, program, version, file, text] of REGISTERED)
  test(`${engine}: registered, registered where nothing is, and in a comment`, () => {
    const programs = { [program]: version };
    const path = "/usr/local/bin/fdrunc";
    const content = text.replace("PATH", path);
    const well = look(engine, host({ [file]: content, [path]: "" }, programs));
    assert.deepEqual([well.state, well.found.endsWith(`fdrunc is registered in ${file}`)], ["ok", true], well.found);
    const broken = look(engine, host({ [file]: content }, programs));
    assert.deepEqual([broken.state, broken.advice], ["partly", `install fdrunc there, or correct ${file}`]);
    const other = look(engine, host({ [file]: text.replace("PATH", "/usr/bin/runc") }, programs));
    assert.equal(other.state, "missing");
    if (engine === "docker") return; // JSON has no comments.
    const comment = content.replace(/^/gm, "# ");
    assert.equal(look(engine, host({ [file]: comment, [path]: "" }, programs)).state, "missing");
  });

test("each check has a name of its own, and says what it is for and what to do", () => {
  assert.equal(new Set(CHECKS.map(({ name }) => name)).size, CHECKS.length);
  for (const { name, means, advice } of CHECKS) assert.ok(means !== "" && advice !== "", name);
});

test("a look that fails is unknown, with its cause, and keeps no other from being told", () => {
  const failing: Check = {
    name: "x",
    means: "y",
    advice: "z",
    look() {
      throw new Error("cannot look");
    },
  };
  const well: Check = { ...failing, name: "w", required: true, look: () => ({ state: "ok", found: "there" }) };
  assert.deepEqual(checkHost(host({}), [failing, well]), [
    { name: "x", state: "unknown", found: "cannot look", means: "y", advice: "z", required: false },
    { name: "w", state: "ok", found: "there", means: "y", required: true },
  ]);
});
