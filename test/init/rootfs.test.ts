import assert from "node:assert/strict";
import { test } from "node:test";
import { type Parts, steps } from "./steps.js";

/** Configs, what is asked of their programs, and the steps: jumps by their distance. */
const CASES: [name: string, about: RegExp, parts: Parts, expected: string][] = [
  [
    "the root is bound on itself and changed to",
    /rootfsPropagation|root\.path|root\.readonly/,
    {},
    `
mount(0, "/", 0, MS_REC|MS_SLAVE, 0)
openat(AT_FDCWD, "/bundle/rootfs", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target
open_tree(%target, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE) = %root
move_mount(%root, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
close(%target)   [error: go on]
fchdir(%root)
pivot_root(".", ".")
umount2(".", MNT_DETACH)
chdir("/")
`,
  ],
  [
    "a shared and read-only root",
    /rootfsPropagation|root\.path|root\.readonly/,
    {
      config: { root: { path: "rootfs", readonly: true } },
      linux: { namespaces: [{ type: "mount" }], rootfsPropagation: "shared" },
      facts: { parentMount: "/mnt" },
    },
    `
mount(0, "/", 0, MS_REC|MS_SHARED, 0)
mount(0, "/mnt", 0, MS_PRIVATE, 0)
openat(AT_FDCWD, "/bundle/rootfs", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %target
open_tree(%target, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE) = %root
move_mount(%root, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
close(%target)   [error: go on]
fchdir(%root)
pivot_root(".", ".")
mount(0, ".", 0, MS_REC|MS_SLAVE, 0)
umount2(".", MNT_DETACH)
chdir("/")
mount_setattr(%root, "", AT_EMPTY_PATH, {0, 0, MS_SHARED, 0}, 32)
mount_setattr(%root, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
`,
  ],
  [
    "an unbindable root becomes that at last",
    /rootfsPropagation/,
    { linux: { namespaces: [{ type: "mount" }], rootfsPropagation: "unbindable" } },
    `
mount(0, "/", 0, MS_REC|MS_PRIVATE, 0)
mount_setattr(%root, "", AT_EMPTY_PATH, {0, 0, MS_UNBINDABLE, 0}, 32)
`,
  ],
  [
    "without a mount namespace only the root changes",
    /root\.path/,
    { linux: { namespaces: [] } },
    `
openat(AT_FDCWD, "/bundle/rootfs", O_PATH|O_DIRECTORY|O_CLOEXEC, 0) = %root
fchdir(%root)
chroot(".")
`,
  ],
  [
    "hooks run before the root is changed",
    /hooks|change the root/,
    { config: { hooks: { createContainer: [{ path: "/x" }] } } },
    `
write(%sync, <mounted>, 8)
read(%sync, &%word, 8)   [0: fail]
fchdir(%root)
pivot_root(".", ".")
umount2(".", MNT_DETACH)
chdir("/")
`,
  ],
  [
    "a device with an owner, in a directory that may be missing",
    /linux\.devices/,
    {
      linux: {
        namespaces: [{ type: "mount" }],
        devices: [{ type: "b", path: "/dev/x/y", major: 300, minor: 70000, fileMode: 0o600, uid: 1, gid: 2 }],
      },
    },
    `
%directory = %root
mkdirat(%directory, "dev", 0755)   [EEXIST: go on]
openat2(%root, "dev", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mkdirat(%directory, "x", 0755)   [EEXIST: go on]
openat2(%root, "dev/x", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "y", S_IFBLK|0600, 0x11112c70)   [EEXIST: +2]
fchownat(%directory, "y", 1, 2, AT_SYMLINK_NOFOLLOW)   [success: +6]
statx(%directory, "y", AT_SYMLINK_NOFOLLOW, STATX_TYPE|STATX_MODE, &%status)
if 2 bytes of %status at 28 & 0xf000 != 0x6000: +3
if 4 bytes of %status at 128 != 0x12c: +2
if 4 bytes of %status at 132 == 0x11170: +2
fail with EEXIST
`,
  ],
  [
    "a device in a user namespace is the host's",
    /linux\.devices/,
    {
      linux: {
        namespaces: [{ type: "mount" }, { type: "user" }],
        devices: [{ type: "c", path: "/dev/x", major: 1, minor: 3 }],
      },
      facts: { userNamespace: true },
    },
    `
mknodat(%dev, "x", S_IFREG, 0)   [EEXIST: go on]
openat2(%root, "dev/x", {O_PATH|O_NOFOLLOW|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target
open_tree(AT_FDCWD, "/dev/x", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = %mount
statx(%mount, "", AT_EMPTY_PATH, STATX_TYPE|STATX_MODE, &%status)
if 2 bytes of %status at 28 & 0xf000 != 0x2000: +3
if 4 bytes of %status at 128 != 0x1: +2
if 4 bytes of %status at 132 == 0x3: +2
fail with ENODEV
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "masked paths",
    /maskedPaths/,
    { linux: { namespaces: [{ type: "mount" }], maskedPaths: ["/a"] } },
    `
fsopen("tmpfs", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "tmpfs", 0)
fsconfig(%context, FSCONFIG_SET_FLAG, "ro", 0, 0)
fsconfig(%context, FSCONFIG_SET_STRING, "nr_inodes", "1", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "size", "4k", 0)
fsconfig(%context, FSCONFIG_SET_STRING, "mode", "555", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY) = %empty
%context = -1
openat(AT_FDCWD, "/dev/null", O_PATH|O_NOFOLLOW|O_CLOEXEC, 0) = %null
statx(%null, "", AT_EMPTY_PATH, STATX_TYPE, &%status)
if 2 bytes of %status at 28 & 0xf000 != 0x2000: +3
if 4 bytes of %status at 128 != 0x1: +2
if 4 bytes of %status at 132 == 0x3: +2
fail with ENODEV
openat2(%root, "a", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +6; ENOTDIR: +3]
open_tree(%empty, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH) = %mount   [EINVAL: +1; success: +4]
fcntl(%empty, F_DUPFD_CLOEXEC, 3) = %mount   [success: +3]
openat2(%root, "a", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +3; ENOTDIR: +3]
open_tree(%null, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH) = %mount
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "read-only paths",
    /readonlyPaths/,
    { linux: { namespaces: [{ type: "mount" }], readonlyPaths: ["/a"] } },
    `
openat2(%root, "a", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %target   [ENOENT: +4; ENOTDIR: +4]
open_tree(%target, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE) = %mount
mount_setattr(%mount, "", AT_EMPTY_PATH|AT_RECURSIVE, {MOUNT_ATTR_RDONLY, 0, 0, 0}, 32)
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
`,
  ],
  [
    "kernel parameters through a procfs of fdrunc's own",
    /sysctl/,
    {
      linux: { namespaces: [{ type: "mount" }], sysctl: { "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/x": "2" } },
    },
    `
fsopen("proc", FSOPEN_CLOEXEC) = %context
fsconfig(%context, FSCONFIG_SET_STRING, "source", "proc", 0)
fsconfig(%context, FSCONFIG_CMD_CREATE, 0, 0, 0)
fsmount(%context, FSMOUNT_CLOEXEC, 0) = %proc
%context = -1
openat2(%proc, "sys/net/ipv4/ip_forward", {O_WRONLY|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_XDEV}, 24) = %file
write(%file, <"1">, 1)
openat2(%proc, "sys/net/ipv4/conf/eth0.1/x", {O_WRONLY|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_XDEV}, 24) = %file
write(%file, <"2">, 1)
`,
  ],
  [
    "a terminal",
    /terminal|console/,
    { process: { terminal: true, consoleSize: { height: 3, width: 4 }, user: { uid: 5 } } },
    `
openat2(%root, "dev/pts/ptmx", {O_RDWR|O_NOCTTY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24) = %terminal
ioctl(%terminal, TIOCSPTLCK, <unlock>)
ioctl(%terminal, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC) = %peer
ioctl(%terminal, TIOCSWINSZ, <4 × 3>)
fchown(%peer, 5, -1)
openat2(%root, "dev", {O_PATH|O_DIRECTORY|O_CLOEXEC, 0, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24) = %directory
mknodat(%directory, "console", S_IFREG, 0)   [EEXIST: go on]
openat2(%directory, "console", {O_PATH|O_NOFOLLOW|O_CLOEXEC, 0, RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS}, 24) = %target
open_tree(%peer, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH) = %mount
move_mount(%mount, "", %target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)
%message:terminal:fd = %terminal
sendmsg(%console, {0, 0, {<terminal>, 8}, 1, {20, 0x100000001, %message:terminal:fd}, 24, 0}, 0)
close(%terminal)   [error: go on]
ioctl(%peer, TIOCSCTTY, 0)
dup3(%peer, 0, 0)
dup3(%peer, 1, 0)
dup3(%peer, 2, 0)
`,
  ],
];

for (const [name, about, parts, expected] of CASES)
  test(name, () => assert.equal(`\n${steps(about, parts).join("\n")}\n`, expected));
