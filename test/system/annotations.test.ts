import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { close } from "../../src/linux/file.js";
import { ConsoleSocket } from "./console.js";
import { asRoot, type FullConfig, system } from "./harness.js";

const CALLER = ["setpriv", "--groups", "4242,4343"];

asRoot("run.oci.keep_original_groups leaves the process in the groups of the container's creator", (s) => {
  const groups = (value: string | undefined, userNamespace = false) => {
    s.write((config) => {
      config.process.args = ["sh", "-c", "grep Groups: /proc/self/status"];
      config.process.user.additionalGids = [7];
      if (value !== undefined) config.annotations["run.oci.keep_original_groups"] = value;
      if (userNamespace) inUserNamespace(config);
    });
    return s.fdrunc(["run", "c"], { under: CALLER }).succeeds().trim().split(/\s+/).slice(1);
  };
  assert.deepEqual(groups("1"), ["4242", "4343"]);
  assert.deepEqual(groups("0"), ["7"]);
  assert.deepEqual(groups(undefined), ["7"]);
  // There they have no names.
  assert.deepEqual(groups("1", true), ["65534", "65534"]);
});

function inUserNamespace(config: FullConfig): void {
  const maps = [{ containerID: 0, hostID: 0, size: 4000 }];
  config.linux.namespaces.push({ type: "user" });
  Object.assign(config.linux, { uidMappings: maps, gidMappings: maps });
}

system("run.oci.hooks.stdout and stderr name files that hooks append to", (s) => {
  const shell = (script: string) => ({ path: "/bin/sh", args: ["sh", "-c", script] });
  s.write((config) => {
    config.hooks = { createRuntime: [shell("echo a; echo b >&2")], poststop: [shell("echo c; echo d >&2")] };
    Object.assign(config.annotations, {
      "run.oci.hooks.stdout": s.path("stdout"),
      "run.oci.hooks.stderr": s.path("stderr"),
    });
  });
  s.run().succeeds();
  assert.equal(readFileSync(s.path("stdout"), "utf8"), "a\nc\n");
  assert.equal(readFileSync(s.path("stderr"), "utf8"), "b\nd\n");
  s.write((config) => {
    config.hooks = { createRuntime: [shell("true")] };
    config.annotations["run.oci.hooks.stdout"] = s.path("absent/stdout");
  });
  assert.match(s.run().fails(), /^annotations\["run\.oci\.hooks\.stdout"\]: open ".*": no such file or directory/);
  s.assertNothingLeft();
});

system("run.oci.pidfd_receiver takes a descriptor of the container's process", (s) => {
  const socket = new ConsoleSocket(s);
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.annotations["run.oci.pidfd_receiver"] = socket.path;
  });
  s.create().succeeds();
  const { fd } = socket.accept();
  assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^anon_inode:\[pidfd\]$/);
  close(fd);
});

system("run.oci.seccomp_fail_unknown_syscall refuses what is no system call anywhere", (s) => {
  const write = (names: string[], annotations: Record<string, string>) =>
    s.write((config) => {
      config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names, action: "SCMP_ACT_ERRNO" }] };
      config.annotations = annotations;
    });
  const annotations = { "run.oci.seccomp_fail_unknown_syscall": "1" };
  write(["reboot", "no_such_call"], {});
  s.run().succeeds();
  write(["reboot", "socketcall"], annotations);
  s.run().succeeds();
  write(["reboot", "no_such_call"], annotations);
  assert.equal(s.run().fails(), 'linux.seccomp.syscalls[0].names[1]: no system call is called "no_such_call"');
  assert.deepEqual(s.leftovers(), []);
});

system("annotations of crun's that would change what is confined are refused, not passed over", (s) => {
  for (const name of ["run.oci.handler", "run.oci.seccomp_bpf_data", "run.oci.seccomp.plugins"]) {
    s.write((config) => {
      config.annotations[name] = "x";
    });
    assert.match(s.run().fails(), new RegExp(`: annotations\\["${name}"\\]: is not supported: `));
  }
  assert.deepEqual(s.leftovers(), []);
});
