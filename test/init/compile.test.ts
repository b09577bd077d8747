import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../../src/generated/config.js";
import { Builder } from "../../src/init/builder.js";
import { parseFault, withFault } from "../../src/init/fault.js";
import { cleanPath, components } from "../../src/init/target.js";
import { stepOf } from "../../src/machine/steps.js";
import { sentences, steps } from "./steps.js";

test("a container is made in this order", () => {
  const order = sentences({
    config: {
      root: { path: "rootfs", readonly: true },
      hostname: "h",
      domainname: "d",
      mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
      hooks: { prestart: [{ path: "/x" }], startContainer: [{ path: "/y" }] },
    },
    process: { terminal: true, noNewPrivileges: true, cwd: "/w" },
    linux: {
      namespaces: [{ type: "mount" }, { type: "uts" }, { type: "network" }, { type: "cgroup" }],
      sysctl: { "net.a": "1" },
      maskedPaths: ["/a"],
      readonlyPaths: ["/b"],
      seccomp: { defaultAction: "SCMP_ACT_ALLOW" },
    },
    facts: { newKeyring: true, cgroup: { version: 1, tasks: ["cpu"], into: false, hierarchies: [] } },
  });
  const landmarks = [
    "start init",
    "execute init's program",
    "mark all but the standard streams to be closed on exec",
    "keep others from tracing init",
    "enter the cpu cgroup (linux.cgroupsPath)",
    "make a cgroup namespace (linux.namespaces)",
    "start a session",
    "start a session keyring",
    "set the propagation of all mounts (linux.rootfsPropagation)",
    'bind the root file system "/bundle/rootfs" on itself (root.path)',
    'mount proc on "/proc" (mounts[0])',
    'make device "/dev/null"',
    'make the working directory "/w" (process.cwd)',
    "wait for the prestart, createRuntime and createContainer hooks (hooks)",
    "change the root to the container's (root.path)",
    "open a terminal (process.terminal)",
    'set the host name to "h" (hostname)',
    'set the domain name to "d" (domainname)',
    'set kernel parameter net.a to "1" (linux.sysctl["net.a"])',
    'make "/b" read-only (linux.readonlyPaths[0])',
    'mask "/a" (linux.maskedPaths[0])',
    "make the root file system read-only (root.readonly)",
    "drop CAP_CHOWN from the bounding set (process.capabilities.bounding)",
    "become user 0, group 0 (process.user)",
    "set the capabilities (process.capabilities)",
    'check that the working directory "/w" lies inside the root (process.cwd)',
    'exec "/bin/x" (process.args[0])',
    "report that the container is created",
    "wait until the container is recorded",
    "wait for start",
    "wait for the startContainer hooks (hooks.startContainer)",
    "keep the process from gaining privileges (process.noNewPrivileges)",
    "load the seccomp filter of 7 instructions (linux.seccomp)",
  ];
  assert.deepEqual(
    order.filter((sentence) => landmarks.includes(sentence)),
    // The program is looked for when the container is made, and executed at the end.
    [...landmarks, 'exec "/bin/x" (process.args[0])'],
  );
});

test("what a config does not need is not compiled in", () => {
  const order = sentences();
  for (const absent of [/cgroup/, /hook/, /host name/, /terminal/, /^mask/, /kernel parameter/, /seccomp/, /keyring/])
    assert.equal(
      order.find((sentence) => absent.test(sentence)),
      undefined,
      String(absent),
    );
});

test("mounts that cannot be are refused by their property", () => {
  const cases: [mount: Mount, message: RegExp][] = [
    [{ destination: "/x" }, /^mounts\[0\]\.type: missing: only a bind mount goes without$/],
    [{ destination: "/x", type: "bind" }, /^mounts\[0\]\.source: missing: a bind mount needs one$/],
    [{ destination: "/", type: "tmpfs" }, /^mounts\[0\]\.destination: "\/": the root itself/],
    [{ destination: "x/..", type: "tmpfs" }, /^mounts\[0\]\.destination: "x\/\.\.": the root itself/],
    [{ destination: "/proc/x", type: "tmpfs" }, /^mounts\[0\]\.destination: "\/proc\/x": lies inside \/proc/],
    [{ destination: "//proc/./x", type: "bind", source: "/y" }, /lies inside \/proc/],
    [{ destination: "/a/../proc/1", type: "bind", source: "/y" }, /lies inside \/proc/],
  ];
  for (const [mount, message] of cases)
    assert.throws(() => steps(/./, { config: { mounts: [mount] } }), { name: "Failure", message });
  for (const file of ["cpuinfo", "net/dev", "sys/kernel/ns_last_pid"])
    steps(/./, { config: { mounts: [{ destination: `/proc/${file}`, type: "bind", source: "/y" }] } });
});

test("paths without what does not matter", () => {
  assert.deepEqual(components("//a/./b//c/"), ["a", "b", "c"]);
  assert.deepEqual(components("../../a/../b"), ["b"]);
  assert.deepEqual(components("/"), []);
  assert.equal(cleanPath("a//b/../c"), "/a/c");
  assert.equal(cleanPath(".."), "/");
});

test("a fault is read, and put in a step's place", () => {
  assert.deepEqual(parseFault("12:EPERM"), { number: 12, errno: "EPERM" });
  for (const text of ["", "12", "x:EPERM", "12:eperm", "12:ENOSUCH", "12:EPERM ", "-1:EPERM"])
    assert.throws(() => parseFault(text), { name: "Failure" }, text);
  const b = new Builder();
  b.about("say it", "process.user", "a hint");
  const end = b.label();
  b.call("setsid", [], { on: { ENOENT: "next", "*": end } });
  b.store(1, "slot");
  b.bind(end);
  const program = b.finish();
  const compiled = { launcher: program, init: program };
  const at = (number: number) => {
    const { launcher, init } = withFault(compiled, { number, errno: "EIO" });
    return stepOf([launcher, init], number);
  };
  const told = { says: "say it", from: "process.user", hint: "a hint" };
  assert.deepEqual(at(3), { call: "setsid", args: [], fault: "EIO", ...told });
  assert.deepEqual(at(4), { fail: "EIO", ...told });
  // In the runtime's own process the error goes where the kernel's would.
  assert.deepEqual(at(1), { call: "setsid", args: [], fault: "EIO", on: { "*": end }, ...told });
  for (const number of [0, 5]) assert.throws(() => at(number), { message: /the steps are numbered from 1 to 4$/ });
});
