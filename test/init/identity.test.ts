import assert from "node:assert/strict";
import { test } from "node:test";
import { type Parts, steps } from "./steps.js";

/** Configs, what is asked of their programs, and the steps: jumps by their distance. */
const CASES: [name: string, about: RegExp, parts: Parts, expected: string][] = [
  [
    "user, groups, limits, capabilities; then the filter",
    /^(process\.(user|rlimits|capabilities$|capabilities\.amb)|linux\.seccomp|wait for start)/,
    {
      process: {
        user: { uid: 1, gid: 2, additionalGids: [3, 4], umask: 0o22 },
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 18446744073709551615n }],
        capabilities: {
          bounding: ["CAP_CHOWN"],
          permitted: ["CAP_CHOWN", "CAP_BPF"],
          effective: ["CAP_CHOWN"],
          inheritable: ["CAP_CHOWN"],
          ambient: ["CAP_CHOWN"],
        },
      },
      linux: { namespaces: [{ type: "mount" }], seccomp: { defaultAction: "SCMP_ACT_ALLOW" } },
    },
    `
prlimit64(0, RLIMIT_NOFILE, {1, 0xffffffffffffffff}, 0)
prctl(PR_SET_KEEPCAPS, 1)
setgroups(2, <[3, 4]>)
setresgid(2, 2, 2)
setresuid(1, 1, 1)
prctl(PR_SET_KEEPCAPS, 0)
umask(022)
capset({_LINUX_CAPABILITY_VERSION_3}, {0x20000100200001, 1, 128})
prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0)
accept4(%start, 0, 0, SOCK_CLOEXEC) = %report
seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, {7, <7 instructions>})
capset({_LINUX_CAPABILITY_VERSION_3}, {0x100000001, 1, 128})
`,
  ],
  [
    "nothing is given up for the filter where no privileges can be gained",
    /^(process\.(capabilities$|noNew)|linux\.seccomp)/,
    {
      process: { noNewPrivileges: true },
      linux: { namespaces: [{ type: "mount" }], seccomp: { defaultAction: "SCMP_ACT_ALLOW" } },
    },
    `
capset({_LINUX_CAPABILITY_VERSION_3}, {0, 0, 0})
prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, {7, <7 instructions>})
`,
  ],
  [
    "limits are left to the runtime in a user namespace",
    /^process\.rlimits/,
    {
      process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 1 }] },
      linux: { namespaces: [{ type: "mount" }, { type: "user" }] },
    },
    `

`,
  ],
  [
    "the working directory is entered twice and must lie inside the root",
    /^process\.cwd/,
    { process: { cwd: "/w" } },
    `
openat2(%root, "w", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "w", 0755)   [EEXIST: go on]
openat2(%root, "w", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
%outside = 1
chdir("/w") = %outside   [EACCES: go on; EPERM: go on]
if 4 bytes of %outside at 0 == 0x0: +2
chdir("/w")
getcwd(&%directory-name, 0x1000)
if 1 bytes of %directory-name at 0 == 0x2f: +2
fail with EXDEV
`,
  ],
  [
    "a program that is found in PATH is looked for when the container is made",
    /^process\.args/,
    { process: { args: ["x", "y"], env: ["PATH=/a::/b"] } },
    `
faccessat2(AT_FDCWD, "/a/x", X_OK, AT_EACCESS)   [error: go on; success: +8]
faccessat2(AT_FDCWD, "./x", X_OK, AT_EACCESS)   [error: go on; success: +7]
faccessat2(AT_FDCWD, "/b/x", X_OK, AT_EACCESS)   [error: go on; success: +6]
faccessat2(AT_FDCWD, "/a/x", 0, AT_EACCESS)   [error: go on; success: +4]
faccessat2(AT_FDCWD, "./x", 0, AT_EACCESS)   [error: go on; success: +3]
faccessat2(AT_FDCWD, "/b/x", 0, AT_EACCESS)   [error: go on; success: +2]
fail with ENOENT
fail with EACCES
execve("/a/x", ["x", "y"], ["PATH=/a::/b", "HOME=/home"])   [ENOENT: go on; ENOTDIR: go on; EACCES: go on]
execve("./x", ["x", "y"], ["PATH=/a::/b", "HOME=/home"])   [ENOENT: go on; ENOTDIR: go on; EACCES: go on]
execve("/b/x", ["x", "y"], ["PATH=/a::/b", "HOME=/home"])
`,
  ],
  [
    "a program by its path",
    /^process\.args/,
    { process: { args: ["/x"], env: ["HOME=/h"] } },
    `
faccessat2(AT_FDCWD, "/x", X_OK, AT_EACCESS)
openat(AT_FDCWD, "/x", O_PATH|O_DIRECTORY|O_CLOEXEC, 0)   [error: +2]
fail with EACCES
execve("/x", ["/x"], ["HOME=/h"])
`,
  ],
];

for (const [name, about, parts, expected] of CASES)
  test(name, () => assert.equal(`\n${steps(about, parts).join("\n")}\n`, expected));
