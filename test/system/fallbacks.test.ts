import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { close } from "../../src/linux/file.js";
import { ConsoleSocket } from "./console.js";
import { asRoot, type Scene, system } from "./harness.js";

/** A command that runs others with a system call made to fail. */
const failing = (s: Scene, ...calls: string[]): string[] => [
  ...["strace", "-f", "-o", s.path("trace"), "-e", `trace=${calls.map((call) => call.split(":")[0]).join()}`],
  ...calls.flatMap((call) => ["-e", `inject=${call.replace(":", ":error=")}`]),
];

const without = spawnSync("strace", ["-V"]).status !== 0;

for (const [name, call] of [
  ["without clone3", "clone3:ENOSYS"],
  ["without memory files that can be executed", "memfd_create:EACCES"],
  ["on a kernel that does not know the flag for such files", "memfd_create:EINVAL:when=1"],
] as const)
  asRoot(`a container runs ${name}`, (s, t) => {
    if (without) return t.skip("needs strace");
    s.write(({ process }) => {
      process.args = ["sh", "-c", "echo $$; readlink /proc/self/exe"];
    });
    const { status, stdout, stderr } = s.fdrunc(["run", "c"], { under: failing(s, call) });
    assert.deepEqual([status, stdout, stderr], [0, "1\n/bin/busybox\n", ""]);
    assert.match(readFileSync(s.path("trace"), "utf8"), /\(INJECTED\)/);
    s.assertNothingLeft();
  });

asRoot("a kernel without the calls that mounts are made with is told as such", (s, t) => {
  if (without) return t.skip("needs strace");
  for (const call of ["fsopen:ENOSYS", "open_tree:ENOSYS", "mount_setattr:ENOSYS", "move_mount:ENOSYS"]) {
    s.write((config) => {
      config.linux.readonlyPaths = ["/bin"];
    });
    const { status, stderr } = s.fdrunc(["create", "c"], { under: failing(s, call) });
    assert.equal(status, 1);
    assert.match(stderr, /^fdrunc: .*\(ENOSYS\) \(Linux 5\.12 or later is needed.*\)\n$/);
    s.assertNothingLeft();
  }
});

asRoot("--no-pivot moves the root: the container sees its own files and none of the host's", (s) => {
  const script = "ls /; cut -d' ' -f5 /proc/self/mountinfo | sort -u; cd /; ls ../../..; readlink /proc/1/root";
  s.write((config) => {
    config.process.args = ["sh", "-c", script];
    config.root.readonly = false;
  });
  const moved = s.run("c", "--no-pivot").succeeds();
  s.assertNothingLeft();
  assert.equal(moved, s.run().succeeds());
});

system("--pidfd-socket takes a descriptor of the container's process", (s) => {
  s.write(({ process }) => {
    process.args = ["sleep", "1000"];
  });
  const socket = new ConsoleSocket(s);
  s.create("c", "--pidfd-socket", socket.path).succeeds();
  const { fd } = socket.accept();
  const { pid } = s.stateOf();
  assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^anon_inode:\[pidfd\]$/);
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), new RegExp(`^Pid:\\s*${pid}$`, "m"));
  close(fd);
});
