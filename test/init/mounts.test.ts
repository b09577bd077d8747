import assert from "node:assert/strict";
import { test } from "node:test";
import { type Parts, steps } from "./steps.js";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 1 }];
const HIERARCHIES = [
  { directory: "cpu,cpuacct", options: ["cpu", "cpuacct"], path: "/sys/fs/cgroup/cpu,cpuacct/c", own: true },
  { directory: "systemd", options: ["name=systemd"], path: "/sys/fs/cgroup/systemd/c", own: true },
];

/** Configs, what is asked of their programs, and the steps: jumps by their distance. */
const CASES: [name: string, about: RegExp, parts: Parts, expected: string][] = [
  [
    "a file system with options, on directories that may be missing",
    /^mounts/,
    {
      config: {
        mounts: [{ destination: "/a/b", type: "tmpfs", source: "x", options: ["nosuid", "ro", "size=1k", "mode=700"] }],
      },
    },
    `
openat2(%root, "a/b", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +6]
%target = %root
mkdirat(%target, "a", 0755)   [EEXIST: go on]
openat2(%root, "a", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
mkdirat(%target, "b", 0755)   [EEXIST: go on]
openat2(%root, "a/b", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
fsopen("tmpfs", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "x", 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "ro", 0, 0)
fsconfig(%context, FSCONFIG_SET_STRING, "size", "1k", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "mode", "700", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID|MOUNT_ATTR_RDONLY) = %mount
%context = -1
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a read-only tmpfs that keeps its directory's mode and is filled",
    /^mounts/,
    { config: { mounts: [{ destination: "/t", type: "tmpfs", options: ["ro", "tmpcopyup"] }] } },
    `
openat2(%root, "t", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "t", 0755)   [EEXIST: go on]
openat2(%root, "t", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
fsopen("tmpfs", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "tmpfs", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %mount
%context = -1
statx(%target, "", AT_EMPTY_PATH, STATX_MODE, &%status)
fchmodat(%mount, ".", %status[28])
%message:copy-up-source:fd = %target
sendmsg(%sync, {0, 0, {<copy-up-source>, 8}, 1, {20, 0x100000001, %message:copy-up-source:fd}, 24, 0}, 0)
%message:copy-up-target:fd = %mount
sendmsg(%sync, {0, 0, {<copy-up-target>, 8}, 1, {20, 0x100000001, %message:copy-up-target:fd}, 24, 0}, 0)
read(%sync, &%word, 8)   [0: fail]
mount_setattr(%mount, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "procfs is kept for kernel parameters, and lies on no link",
    /^mounts/,
    { config: { mounts: [{ destination: "/proc", type: "proc", source: "proc" }] } },
    `
openat2(%root, "proc", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "proc", 0755)   [EEXIST: go on]
openat2(%root, "proc", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24) = %target
fsopen("proc", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "proc", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %proc
%context = -1
move_mount(%proc, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a bind from the bundle, changed alone and with all below",
    /^mounts/,
    {
      config: {
        mounts: [{ destination: "/f", type: "bind", source: "rel/x", options: ["rbind", "ro", "rnosuid", "rslave"] }],
      },
    },
    `
open_tree(AT_FDCWD, "/bundle/rel/x", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE) = %mount
mount_setattr(%mount, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
mount_setattr(%mount, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_NOSUID, 0, 0, 0}, 32)
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +9]
openat(%mount, ".", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target   [ENOTDIR: +5]
%target = %root
mkdirat(%target, "f", 0755)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
go to +4
openat2(%root, ".", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "f", S_IFREG, 0)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
mount_setattr(%mount, "", AT_EMPTY_PATH|AT_RECURSIVE, {0, 0, MS_SLAVE, 0}, 32)
`,
  ],
  [
    "a mount behind a link, where the link leads",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/l", type: "bind", source: "/x", options: ["bind"] }] },
      facts: { places: new Map([["mounts[0].destination", "/a/f"]]) },
    },
    `
open_tree(AT_FDCWD, "/x", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %mount
openat2(%root, "a/f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +13]
openat(%mount, ".", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target   [ENOTDIR: +7]
%target = %root
mkdirat(%target, "a", 0755)   [EEXIST: go on]
openat2(%root, "a", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
mkdirat(%target, "f", 0755)   [EEXIST: go on]
openat2(%root, "a/f", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
go to +6
%directory = %root
mkdirat(%directory, "a", 0755)   [EEXIST: go on]
openat2(%root, "a", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "f", S_IFREG, 0)   [EEXIST: go on]
openat2(%root, "a/f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a remount of a file system",
    /^mounts/,
    { config: { mounts: [{ destination: "/f", type: "tmpfs", options: ["remount", "ro", "size=2k"] }] } },
    `
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %mount
mount_setattr(%mount, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
fspick(%mount, "", FSPICK_CLOEXEC|FSPICK_EMPTY_PATH) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "size", "2k", 0)
fsconfig(%context, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0)
%context = -1
`,
  ],
  [
    "a mount with mapped ids, which the runtime made",
    /^mounts/,
    {
      config: {
        mounts: [
          {
            destination: "/f",
            type: "bind",
            source: "/x",
            options: ["bind", "idmap"],
            uidMappings: MAPS,
            gidMappings: MAPS,
          },
        ],
      },
    },
    `
%mount = %mount:0
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +9]
openat(%mount, ".", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target   [ENOTDIR: +5]
%target = %root
mkdirat(%target, "f", 0755)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
go to +4
openat2(%root, ".", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "f", S_IFREG, 0)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "cgroups of v1 without namespace",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/c", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] }] },
      facts: { cgroup: { version: 1, tasks: ["cpu"], into: false, hierarchies: HIERARCHIES } },
    },
    `
%cgroup:cpu,cpuacct = "/sys/fs/cgroup/cpu,cpuacct/c"
%cgroup:systemd = "/sys/fs/cgroup/systemd/c"
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "c", 0755)   [EEXIST: go on]
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
fsopen("tmpfs", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "tmpfs", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "mode", "755", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %cgroups
%context = -1
move_mount(%cgroups, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
mkdirat(%cgroups, "cpu,cpuacct", 0755)
open_tree(AT_FDCWD, %cgroup:cpu,cpuacct, OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %mount
move_mount(%mount, "", %cgroups, "cpu,cpuacct", MOVE_MOUNT_F_EMPTY_PATH)
symlinkat("cpu,cpuacct", %cgroups, "cpu")   [EEXIST: go on]
symlinkat("cpu,cpuacct", %cgroups, "cpuacct")   [EEXIST: go on]
mkdirat(%cgroups, "systemd", 0755)
open_tree(AT_FDCWD, %cgroup:systemd, OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %mount
move_mount(%mount, "", %cgroups, "systemd", MOVE_MOUNT_F_EMPTY_PATH)
mount_setattr(%cgroups, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID, 0, 0, 0}, 32)
`,
  ],
  [
    "cgroups of v1 in a namespace",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/c", type: "cgroup", source: "cgroup", options: ["nosuid"] }] },
      linux: { namespaces: [{ type: "mount" }, { type: "cgroup" }] },
      facts: { cgroup: { version: 1, tasks: ["cpu"], into: false, hierarchies: HIERARCHIES } },
    },
    `
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "c", 0755)   [EEXIST: go on]
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
fsopen("tmpfs", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "tmpfs", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "mode", "755", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %cgroups
%context = -1
move_mount(%cgroups, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
mkdirat(%cgroups, "cpu,cpuacct", 0755)
fsopen("cgroup", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "cgroup", 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "cpu", 0, 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "cpuacct", 0, 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %mount
%context = -1
move_mount(%mount, "", %cgroups, "cpu,cpuacct", MOVE_MOUNT_F_EMPTY_PATH)
symlinkat("cpu,cpuacct", %cgroups, "cpu")   [EEXIST: go on]
symlinkat("cpu,cpuacct", %cgroups, "cpuacct")   [EEXIST: go on]
mkdirat(%cgroups, "systemd", 0755)
fsopen("cgroup", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "cgroup", 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "none", 0, 0)
fsconfig(%context, FSCONFIG_SET_STRING, "name", "systemd", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %mount
%context = -1
move_mount(%mount, "", %cgroups, "systemd", MOVE_MOUNT_F_EMPTY_PATH)
mount_setattr(%cgroups, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_NOSUID, 0, 0, 0}, 32)
`,
  ],
  [
    "the cgroup of v2",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/c", type: "cgroup", source: "cgroup", options: ["ro"] }] },
      facts: {
        cgroup: {
          version: 2,
          tasks: [],
          into: true,
          hierarchies: [{ directory: "", options: [""], path: "/sys/fs/cgroup/c", own: true }],
        },
      },
    },
    `
%cgroup:unified = "/sys/fs/cgroup/c"
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "c", 0755)   [EEXIST: go on]
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
open_tree(AT_FDCWD, %cgroup:unified, OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %cgroups
move_mount(%cgroups, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
mount_setattr(%cgroups, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
`,
  ],
  [
    "a bind whose attributes may be locked: what cannot be taken away stays, the rest is added",
    /^mounts/,
    {
      config: {
        mounts: [{ destination: "/f", type: "bind", source: "/x", options: ["bind", "rw", "nosuid", "noatime"] }],
      },
      facts: { userNamespace: true },
    },
    `
open_tree(AT_FDCWD, "/x", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %mount
mount_setattr(%mount, "", AT_EMPTY_PATH, {MOUNT_ATTR_NOSUID|MOUNT_ATTR_NOATIME, MOUNT_ATTR_RDONLY|MOUNT_ATTR__ATIME, 0, 0}, 32)   [EPERM: +1; success: +2]
mount_setattr(%mount, "", AT_EMPTY_PATH, {MOUNT_ATTR_NOSUID, 0, 0, 0}, 32)
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +9]
openat(%mount, ".", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target   [ENOTDIR: +5]
%target = %root
mkdirat(%target, "f", 0755)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
go to +4
openat2(%root, ".", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "f", S_IFREG, 0)   [EEXIST: go on]
openat2(%root, "f", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a sysfs in a user namespace: the host's where none may be made",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] }] },
      facts: { userNamespace: true },
    },
    `
openat2(%root, "sys", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "sys", 0755)   [EEXIST: go on]
openat2(%root, "sys", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24) = %target
fsopen("sysfs", FSOPEN_CLOEXEC) = %context   [EPERM: +7]
fsconfig(%context, FSCONFIG_SET_STRING, "source", "sysfs", 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "ro", 0, 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)   [EPERM: +4]
fsmount(%context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY) = %mount   [EPERM: +3]
%context = -1
go to +3
open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE) = %mount
mount_setattr(%mount, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a group of terminals that is not mapped",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/dev/pts", type: "devpts", options: ["gid=5", "mode=620"] }] },
      linux: { namespaces: [{ type: "mount" }, { type: "user" }], uidMappings: MAPS, gidMappings: MAPS },
      facts: { userNamespace: true },
    },
    `
openat2(%root, "dev/pts", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +6]
%target = %root
mkdirat(%target, "dev", 0755)   [EEXIST: go on]
openat2(%root, "dev", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
mkdirat(%target, "pts", 0755)   [EEXIST: go on]
openat2(%root, "dev/pts", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
fsopen("devpts", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "devpts", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "mode", "620", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %mount
%context = -1
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "a cgroup that is not the container's own is read-only",
    /^mounts/,
    {
      config: { mounts: [{ destination: "/c", type: "cgroup", source: "cgroup", options: ["rw"] }] },
      facts: {
        cgroup: {
          ...{ version: 2, tasks: [], into: false },
          hierarchies: [{ directory: "", options: [""], path: "/sys/fs/cgroup/other", own: false }],
        },
      },
    },
    `
%cgroup:unified = "/sys/fs/cgroup/other"
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +1; success: +4]
%target = %root
mkdirat(%target, "c", 0755)   [EEXIST: go on]
openat2(%root, "c", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
open_tree(AT_FDCWD, %cgroup:unified, OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %cgroups
mount_setattr(%cgroups, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
move_mount(%cgroups, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
];

for (const [name, about, parts, expected] of CASES)
  test(name, () => assert.equal(`\n${steps(about, parts).join("\n")}\n`, expected));
