import { ffi } from "../ffi/driver.js";
import { userNamespace } from "../launch/user-namespace.js";
import { cstring, words } from "../linux/bytes.js";
import { CAPABILITIES, permittedCapabilities } from "../linux/capabilities.js";
import { C } from "../linux/constants.js";
import { type Fd, using } from "../linux/file.js";
import { attempt, must, SyscallError } from "../linux/syscall.js";
import { type Check, type Finding, missing, ok, partly, unknown } from "./check.js";
import type { Host } from "./host.js";

/** The oldest kernel that has all the system calls that every container is made by: mount_setattr(2) is the youngest. */
const OLDEST = [5, 12];

/** A kind of namespace: its name in /proc/PID/ns and in /proc/sys/user, and what of it depends on a kernel's build. */
interface NamespaceKind {
  readonly file: string;
  readonly option?: string;
  readonly required?: boolean;
}

const NAMESPACES: Record<string, NamespaceKind> = {
  mount: { file: "mnt", required: true },
  pid: { file: "pid", option: "CONFIG_PID_NS", required: true },
  network: { file: "net", option: "CONFIG_NET_NS", required: true },
  ipc: { file: "ipc", option: "CONFIG_IPC_NS", required: true },
  uts: { file: "uts", option: "CONFIG_UTS_NS", required: true },
  user: { file: "user", option: "CONFIG_USER_NS" },
  cgroup: { file: "cgroup", option: "CONFIG_CGROUPS" },
  time: { file: "time", option: "CONFIG_TIME_NS" },
};

/** The actions of a filter, as the kernel names them (seccomp(2), "/proc/sys/kernel/seccomp/actions_avail"). */
const ACTIONS = ["kill_process", "kill_thread", "trap", "errno", "trace", "log", "allow"];

export const KERNEL_CHECKS: readonly Check[] = [
  {
    name: "kernel",
    means: `all containers: Linux ${OLDEST.join(".")} or newer is needed`,
    advice: "start a newer kernel",
    required: true,
    look({ read }) {
      const release = read("/proc/sys/kernel/osrelease")?.trim() ?? "";
      const [major = 0, minor = 0] = release.split(/\D/).map(Number);
      const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
      return (isOld ? missing : ok)(`${release} on ${ffi.arch}`);
    },
  },
  {
    name: "privileges",
    means: "processes that are to have these, and for limits above the caller's",
    advice: "call fdrunc with all capabilities: from a login shell or a service rather than from a confined container",
    look: lookAtPrivileges,
  },
  ...Object.entries(NAMESPACES).map(
    ([type, kind]): Check => ({
      name: `${type} namespace`,
      means: `containers that have a namespace of type ${type}`,
      advice: kind.option ? `start a kernel that has ${kind.option}` : "start another kernel",
      ...(kind.required && { required: true }),
      look: (host) => lookAtNamespace(kind, host),
    }),
  ),
  {
    name: "id-mapped mounts",
    means: "files that are seen under other ids: mounts[].uidMappings and option idmap",
    advice: "keep what is mounted so on ext4, xfs, btrfs or tmpfs",
    look: lookAtIdMappedMounts,
  },
  {
    name: "seccomp",
    means: "filters of system calls: linux.seccomp",
    advice: "start a kernel that has CONFIG_SECCOMP_FILTER",
    look({ read }) {
      const actions = read("/proc/sys/kernel/seccomp/actions_avail")?.trim().split(" ");
      if (actions === undefined) return missing("the kernel has no filters of system calls");
      const without = ACTIONS.filter((action) => !actions.includes(action));
      return without.length === 0 ? ok(`actions ${actions.join(" ")}`) : partly(`without ${without.join(" ")}`);
    },
  },
  {
    name: "seccomp notify",
    means: "agents that decide about system calls: linux.seccomp.listenerPath",
    advice: "start a kernel that has CONFIG_SECCOMP_FILTER, 5.0 or newer",
    look: ({ read }) =>
      / user_notif( |$)/m.test(read("/proc/sys/kernel/seccomp/actions_avail") ?? "")
        ? ok("action user_notif")
        : missing("the kernel has no action user_notif"),
  },
  {
    name: "AppArmor",
    means: "process.apparmorProfile",
    advice: "start a kernel that has it with apparmor=1 security=apparmor",
    look: ({ read }) =>
      read("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") ? ok("in force") : missing("not in force"),
  },
  {
    name: "SELinux",
    means: "process.selinuxLabel and linux.mountLabel",
    advice: "start a kernel that has it with selinux=1 security=selinux",
    look: ({ read }) =>
      /^nodev\tselinuxfs$/m.test(read("/proc/filesystems") ?? "")
        ? ok(read("/sys/fs/selinux/enforce") === "1" ? "enforcing" : "in force, permissive")
        : missing("not in force"),
  },
  fileSystem(
    "overlay",
    "fdbundle's layers kept once, and engines' images",
    "start a kernel that has CONFIG_OVERLAY_FS",
  ),
  fileSystem("btrfs", "fdbundle --store btrfs", "start a kernel that has CONFIG_BTRFS_FS"),
];

function lookAtPrivileges({ uid, privileged, read }: Host): Finding {
  if (!privileged) return ok(uid === 0 ? "root in a user namespace" : "an ordinary user: containers are rootless");
  const last = Number(read("/proc/sys/kernel/cap_last_cap") ?? CAPABILITIES.length - 1);
  const permitted = permittedCapabilities();
  const without = CAPABILITIES.slice(0, last + 1).filter((_, number) => !(permitted & (1n << BigInt(number))));
  return without.length === 0 ? ok("root, with all capabilities") : partly(`root, without ${without.join(" ")}`);
}

function lookAtNamespace({ file }: NamespaceKind, { read, list }: Host): Finding {
  if (!list("/proc/self/ns").includes(file)) return missing("the kernel has none");
  const sysctl = `user.max_${file}_namespaces`;
  const limit = read(`/proc/sys/${sysctl.replaceAll(".", "/")}`)?.trim();
  if (limit === "0") return { ...missing(`${sysctl} is 0`), advice: `sysctl ${sysctl}=10000` };
  return ok(limit === undefined ? "the kernel has it" : `up to ${limit}`);
}

/** Tries it on the file system that "/" lies on: there is no other way to know. */
function lookAtIdMappedMounts({ privileged }: Host): Finding {
  if (!privileged) return unknown("only root can map the ids of mounts, and try it");
  const map = [{ containerID: 0, hostID: 100_000, size: 1 }];
  const flags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC;
  const setIds = (tree: Fd, namespace: Fd) => {
    const attributes = words(C.MOUNT_ATTR_IDMAP, 0, 0, namespace);
    const result = attempt("mount_setattr", tree, cstring(""), C.AT_EMPTY_PATH, attributes, attributes.length);
    must("mount_setattr", "mount_setattr", result);
  };
  try {
    using(must("open_tree", ["clone", "/"], attempt("open_tree", C.AT_FDCWD, cstring("/"), flags)), (tree) =>
      using(userNamespace(map, map), (namespace) => setIds(tree, namespace)),
    );
    return ok('the file system of "/" can be mounted with mapped ids');
  } catch (error) {
    if (error instanceof SyscallError) return partly(`not for the file system of "/": ${error.message}`);
    throw error;
  }
}

/** A check for a file system: the kernel has it, or has a module that is loaded when it is first mounted. */
function fileSystem(name: string, means: string, advice: string): Check {
  return {
    name,
    means,
    advice,
    look({ read }) {
      if (new RegExp(`\t${name}$`, "m").test(read("/proc/filesystems") ?? "")) return ok("the kernel has it");
      const modules = `/lib/modules/${read("/proc/sys/kernel/osrelease")?.trim()}/modules.dep`;
      return new RegExp(`/${name}\\.ko[.\\w]*:`).test(read(modules) ?? "")
        ? ok("a module, loaded when it is needed")
        : missing("neither in the kernel nor among its modules");
    },
  };
}
