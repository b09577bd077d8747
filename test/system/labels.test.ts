import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { hasAppArmor, hasSelinux } from "../../src/linux/security-modules.js";
import { asRoot, system, TAG } from "./harness.js";

/** Loads a profile that allows all but to read a file, until the test ends. Returns its name. */
function loadProfile(t: TestContext): string {
  const name = `${TAG}-profile`;
  const rules = "file, capability, network, mount, umount, pivot_root, signal, ptrace, unix, deny /secret r,";
  const profile = `profile ${name} flags=(attach_disconnected,mediate_deleted) { ${rules} }\n`;
  const parser = (flag: string) => spawnSync("apparmor_parser", [flag], { input: profile, encoding: "utf8" });
  const { status, stderr } = parser("--replace");
  assert.equal(status, 0, stderr);
  t.after(() => parser("--remove"));
  return name;
}

const MISSING = hasAppArmor() && spawnSync("apparmor_parser", ["--version"]).status === 0 ? false : "needs AppArmor";

asRoot("a container's process is confined by its AppArmor profile", (s, t) => {
  if (MISSING) {
    t.skip(MISSING);
    return;
  }
  const name = loadProfile(t);
  writeFileSync(join(s.rootfs, "secret"), "hidden\n");
  const script = "cat /proc/self/attr/current; cat /secret 2>&1; cat /proc/1/attr/current";
  for (const uid of [0, 1000])
    for (const noNewPrivileges of [true, false]) {
      const said = s.sh(`${script}; true`, ({ process }) => {
        process.apparmorProfile = name;
        process.noNewPrivileges = noNewPrivileges;
        process.user = { uid, gid: uid };
      });
      assert.equal(said, `${name} (enforce)\ncat: can't open '/secret': Permission denied\n${name} (enforce)\n`);
    }
  // As does a hook that is executed from the container's files.
  s.write((config) => {
    config.process.apparmorProfile = name;
    config.hooks = { startContainer: [{ path: "/bin/cat", args: ["cat", "/secret"] }] };
  });
  assert.match(s.run().fails(), /^hooks\.startContainer\[0\]: "\/bin\/cat": exit status 1: cat: .*Permission denied$/);
});

system("an AppArmor profile that is not loaded is told of", (s, t) => {
  if (MISSING) {
    t.skip(MISSING);
    return;
  }
  s.write(({ process }) => {
    process.apparmorProfile = `${TAG}-absent`;
  });
  assert.match(
    s.run().fails(),
    /^process\.apparmorProfile: set the AppArmor profile ".*-absent" \(step \d+\): write: no such file or directory \(ENOENT\) \(is a profile of that name loaded\?\)$/,
  );
});

system("labels of security modules that the kernel does not have are refused", (s) => {
  const refuses = (path: string, error: string) => {
    assert.equal(s.create().fails(), `${path}: ${error}`);
    assert.deepEqual(s.leftovers(), []);
  };
  if (!hasAppArmor()) {
    s.write(({ process }) => {
      process.apparmorProfile = "docker-default";
    });
    refuses("process.apparmorProfile", 'the kernel has no AppArmor, or it is disabled, got "docker-default"');
  }
  if (!hasSelinux()) {
    s.write(({ process }) => {
      process.selinuxLabel = "u:r:t:s0";
    });
    refuses("process.selinuxLabel", 'the kernel has no SELinux, or it is disabled, got "u:r:t:s0"');
    s.write(({ linux }) => {
      linux.mountLabel = "u:r:t:s0";
    });
    refuses("linux.mountLabel", 'the kernel has no SELinux, or it is disabled, got "u:r:t:s0"');
  }
});
