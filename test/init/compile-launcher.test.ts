import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/generated/config.js";
import { compileLauncher } from "../../src/init/compile-launcher.js";
import { keepParts } from "../../src/init/kept-parts.js";
import { FACTS } from "../../src/init/usual-containers.js";
import { type Parts, steps } from "./steps.js";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 1 }];

/** Configs, what is asked of their programs, and the steps: jumps by their distance. */
const CASES: [name: string, about: RegExp, parts: Parts, expected: string][] = [
  [
    "new namespaces are made by init itself, but for process ids",
    /^(start|close the|make n|wait for init|execute)/,
    { linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "network" }] } },
    `
clone3({CLONE_VM|CLONE_PARENT_SETTID|CLONE_NEWPID|CLONE_CLEAR_SIGHAND, 0, 0, %pid-address, 17, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; error: +6; 0: +2; success: +6]
clone(CLONE_VM|CLONE_PARENT_SETTID|CLONE_NEWPID|021, 0, %pid-address)   [error: +5; 0: +1; success: +5]
close(%peer)   [error: go on]
unshare(CLONE_NEWNS|CLONE_NEWNET)
read(%sync, &%word, 8)   [0: fail]
execveat(%program, "", ["fdrunc-init"], [], AT_EMPTY_PATH)
setsid()
close(%root)   [error: go on]
`,
  ],
  [
    "a process id namespace is joined by a process between",
    /^(start|close the|join|keep|end|make n|wait for init|execute)/,
    { linux: { namespaces: [{ type: "mount" }, { type: "pid", path: "/p" }, { type: "network", path: "/n" }] } },
    `
clone3({CLONE_VM|CLONE_CLEAR_SIGHAND, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; error: +11; 0: +2; success: +11]
clone(CLONE_VM|021, 0, 0)   [error: +10; 0: +1; success: +10]
prctl(PR_SET_DUMPABLE, 0)
setns(%namespace:pid, CLONE_NEWPID)
clone3({CLONE_VM|CLONE_PARENT_SETTID|CLONE_PARENT|CLONE_CLEAR_SIGHAND, 0, 0, %pid-address, 0, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; 0: +3; success: +2]
clone(CLONE_VM|CLONE_PARENT_SETTID|CLONE_PARENT, 0, %pid-address)   [0: +2; success: +1]
exit_group(0)
close(%peer)   [error: go on]
unshare(CLONE_NEWNS)
read(%sync, &%word, 8)   [0: fail]
execveat(%program, "", ["fdrunc-init"], [], AT_EMPTY_PATH)
prctl(PR_SET_DUMPABLE, 0)
setns(%namespace:network, CLONE_NEWNET)
close(%namespace:network)   [error: go on]
setsid()
close(%root)   [error: go on]
`,
  ],
  [
    "a new user namespace waits for its maps and becomes root in it",
    /^(start init|make n|wait for (the id|init)|become root|execute)/,
    {
      linux: {
        namespaces: [{ type: "mount" }, { type: "user" }, { type: "uts" }],
        uidMappings: MAPS,
        gidMappings: MAPS,
      },
    },
    `
clone3({CLONE_VM|CLONE_PARENT_SETTID|CLONE_NEWUSER|CLONE_CLEAR_SIGHAND, 0, 0, %pid-address, 17, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; error: +9; 0: +2; success: +9]
clone(CLONE_VM|CLONE_PARENT_SETTID|CLONE_NEWUSER|021, 0, %pid-address)   [error: +8; 0: +1; success: +8]
unshare(CLONE_NEWNS|CLONE_NEWUTS)
read(%sync, &%word, 8)   [0: fail]
setresgid(0, 0, 0)
setgroups(0, 0)   [EPERM: go on]
setresuid(0, 0, 0)
execveat(%program, "", ["fdrunc-init"], [], AT_EMPTY_PATH)
`,
  ],
  [
    "a user namespace is joined last by root, first by others",
    /^(start init|join|become root)/,
    { linux: { namespaces: [{ type: "mount" }, { type: "user", path: "/u" }, { type: "network", path: "/n" }] } },
    `
setns(%namespace:network, CLONE_NEWNET)
setns(%namespace:user, CLONE_NEWUSER)
clone3({CLONE_VM|CLONE_PARENT_SETTID|CLONE_PARENT|CLONE_CLEAR_SIGHAND, 0, 0, %pid-address, 0, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; 0: +3; success: +2]
clone(CLONE_VM|CLONE_PARENT_SETTID|CLONE_PARENT, 0, %pid-address)   [0: +2; success: +1]
setresgid(0, 0, 0)
setgroups(0, 0)   [EPERM: go on]
setresuid(0, 0, 0)
`,
  ],
  [
    "a user namespace is joined first by who is not root",
    /^join/,
    {
      linux: {
        namespaces: [
          { type: "user", path: "/u" },
          { type: "network", path: "/n" },
        ],
      },
      facts: { privileged: false },
    },
    `
setns(%namespace:user, CLONE_NEWUSER)
setns(%namespace:network, CLONE_NEWNET)
`,
  ],
  [
    "init has memory of its own in a cgroup that limits memory",
    /^start init$/,
    {
      linux: { resources: { memory: { limit: 4096 } } },
      facts: { cgroup: { version: 2, tasks: [], into: true, hierarchies: [] } },
    },
    `
clone3({CLONE_PARENT_SETTID|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP, 0, 0, %pid-address, 17, 0, 0, 0, 0, 0, %cgroup}, 88)   [ENOSYS: +1; error: +10; 0: +6; success: +10]
clone(CLONE_PARENT_SETTID|021, 0, %pid-address)   [error: +9; 0: +1; success: +9]
`,
  ],
  [
    "init has memory of its own where systemd moves it to such a cgroup",
    /^start init$/,
    {
      linux: { resources: { memory: { limit: 4096 } } },
      facts: { cgroup: { version: 2, tasks: [], into: false, moved: true, hierarchies: [] } },
    },
    `
clone3({CLONE_PARENT_SETTID|CLONE_CLEAR_SIGHAND, 0, 0, %pid-address, 17, 0, 0, 0, 0, 0, 0}, 88)   [ENOSYS: +1; error: +6; 0: +2; success: +6]
clone(CLONE_PARENT_SETTID|021, 0, %pid-address)   [error: +5; 0: +1; success: +5]
`,
  ],
  [
    "init enters cgroups of v1 by itself, and is started in that of v2",
    /^(start init|enter)/,
    { facts: { cgroup: { version: 1, tasks: ["cpu", "pids"], into: true, hierarchies: [] } } },
    `
clone3({CLONE_VM|CLONE_PARENT_SETTID|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP, 0, 0, %pid-address, 17, 0, 0, 0, 0, 0, %cgroup}, 88)   [ENOSYS: +1; error: +10; 0: +6; success: +10]
clone(CLONE_VM|CLONE_PARENT_SETTID|021, 0, %pid-address)   [error: +9; 0: +1; success: +9]
openat(%cgroup, "cgroup.procs", O_WRONLY|O_CLOEXEC, 0) = %processes
write(%processes, <"0">, 1)
close(%processes)   [error: go on]
go to +1
write(%tasks:cpu, <"0">, 1)
close(%tasks:cpu)   [error: go on]
write(%tasks:pids, <"0">, 1)
close(%tasks:pids)   [error: go on]
`,
  ],
];

for (const [name, about, parts, expected] of CASES)
  test(name, () => assert.equal(`\n${steps(about, parts).join("\n")}\n`, expected));

test("launchers are the same whatever else a config says of its namespaces", () => {
  const joined = (more: object) => ({
    ociVersion: "1.0.0",
    linux: { namespaces: [{ type: "pid" as const, path: "/proc/1/ns/pid", ...more }] },
  });
  const launcher = (config: Config) => keepParts(() => compileLauncher(config, FACTS)).parts[0].part;
  assert.equal(launcher(joined({ more: 12345678901234567890n })).count, launcher(joined({})).count);
});
