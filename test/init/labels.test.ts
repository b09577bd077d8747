import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../../src/generated/config.js";
import { sentences, steps } from "./steps.js";

const PROC: Mount = { destination: "/proc", type: "proc", source: "proc" };

test("labels are set last, by the very user, in the procfs that init has mounted", () => {
  const process = { apparmorProfile: "p", selinuxLabel: "u:r:t:s0:c1,c2", noNewPrivileges: true };
  const told = sentences({
    config: { mounts: [PROC] },
    process,
    linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } },
  });
  const landmarks = [
    "become user 0, group 0 (process.user)",
    "wait for start",
    'set the AppArmor profile "p" (process.apparmorProfile)',
    'set the SELinux label "u:r:t:s0:c1,c2" (process.selinuxLabel)',
    "keep the process from gaining privileges (process.noNewPrivileges)",
    "load the seccomp filter of 7 instructions (linux.seccomp)",
  ];
  assert.deepEqual(
    told.filter((sentence) => landmarks.includes(sentence)),
    landmarks,
  );
  assert.ok(!told.some((sentence) => sentence.startsWith("make a procfs")));
  assert.deepEqual(steps(/process\.(apparmor|selinux)/, { config: { mounts: [PROC] }, process }), [
    'openat2(%proc, "self/attr/apparmor/exec", {O_WRONLY|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV}, 24) = %file   [ENOENT: +1; success: +2]',
    'openat2(%proc, "self/attr/exec", {O_WRONLY|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV}, 24) = %file',
    'write(%file, <"exec p">, 6)',
    "close(%file)   [error: go on]",
    'openat2(%proc, "self/attr/exec", {O_WRONLY|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV}, 24) = %file',
    'write(%file, <"u:r:t:s0:c1,c2">, 14)',
    "close(%file)   [error: go on]",
  ]);
});

test("without a procfs in the config one is made that nobody else sees, before privileges are dropped", () => {
  const told = sentences({ process: { selinuxLabel: "l" } });
  const made = told.indexOf("make a procfs to write to (process)");
  assert.ok(made > 0 && made < told.indexOf("become user 0, group 0 (process.user)"));
});

test("empty labels are none", () => {
  const told = sentences({ process: { selinuxLabel: "", apparmorProfile: "" }, linux: { mountLabel: "" } });
  assert.deepEqual(told, sentences());
});

test("mounts get their label as an option, but for file systems that the kernel labels", () => {
  const tmpfs: Mount = { destination: "/a", type: "tmpfs", source: "tmpfs" };
  const bind: Mount = { destination: "/b", type: "bind", source: "/b" };
  const linux = { mountLabel: "u:r:t:s0:c1,c2", maskedPaths: ["/x"] };
  const set = (annotations = {}) =>
    steps(/^mount|^bind|^make an empty/, {
      config: { annotations, mounts: [PROC, tmpfs, bind, { destination: "/q", type: "mqueue", source: "mqueue" }] },
      linux,
    }).filter((step) => step.includes("u:r:t"));
  const option = (name: string) => `fsconfig(%context, FSCONFIG_SET_STRING, "${name}", "u:r:t:s0:c1,c2", 0)`;
  assert.deepEqual(set(), [option("context"), option("context")]);
  const named = set({ "run.oci.mount_context_type": "rootcontext" });
  assert.deepEqual(named, [option("rootcontext"), option("rootcontext")]);
});
