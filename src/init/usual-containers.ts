import { defaultConfig } from "../config/defaults.js";
import { ffi } from "../ffi/driver.js";
import type { Config, Mount } from "../generated/config.js";
import { stockParts } from "../machine/elf.js";
import { compile } from "./compile.js";
import type { CgroupFacts, Facts } from "./facts.js";
import { isKept, keepParts } from "./kept-parts.js";

/** What containerd, docker and podman write into most configs where that of `fdrunc spec` is different. */
const MOUNTS: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  tmpfs("/dev", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
  tmpfs("/dev/shm", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
  tmpfs("/run", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
  tmpfs("/run", "tmpfs", ["nosuid", "nodev", "mode=755"]),
  tmpfs("/tmp", "tmpfs", ["noexec", "nosuid", "nodev"]),
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev"] },
  cgroup(["ro", "nosuid", "noexec", "nodev"]),
  cgroup(["nosuid", "noexec", "nodev"]),
  cgroup(["rprivate", "nosuid", "noexec", "nodev", "relatime", "ro"]),
];
const MASKED = ["/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/fs/selinux", "/sys/dev/block"];
const READONLY = ["/proc/asound"];
const CAPABILITIES =
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
    .split(" ")
    .map((name) => `CAP_${name}`);
/** Podman's. */
const FEWER = CAPABILITIES.filter((name) => !["CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW"].includes(name));

function tmpfs(destination: string, source: string, options: string[]): Mount {
  return { destination, type: "tmpfs", source, options };
}

function cgroup(options: string[]): Mount {
  return { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options };
}

/** The hierarchies of cgroups v1, as hosts mount them: alone, or two together. */
const HIERARCHIES =
  "cpu cpuacct cpu,cpuacct cpuset memory devices freezer blkio pids hugetlb perf_event net_cls,net_prio".split(" ");

const V1: CgroupFacts[] = [
  ...HIERARCHIES.map((name) => v1(name, { directory: name, options: name.split(","), path: "/", own: true })),
  v1("name=systemd", { directory: "systemd", options: ["name=systemd"], path: "/", own: true }),
];
const V2: CgroupFacts = {
  version: 2,
  tasks: [],
  into: true,
  hierarchies: [{ directory: "", options: [], path: "/", own: true }],
};

function v1(name: string, hierarchy: CgroupFacts["hierarchies"][number]): CgroupFacts {
  return { version: 1, tasks: [name], into: false, hierarchies: [hierarchy] };
}

/** Of a host with cgroups v2, where root makes a container. */
export const FACTS: Facts = {
  id: "",
  bundle: "/",
  rootfs: "/",
  preserveFds: 0,
  privileged: true,
  userNamespace: false,
  makesMounts: true,
  newKeyring: true,
  permitted: (1n << 64n) - 1n,
  home: "/",
  cgroup: V2,
  places: new Map(),
};

/** A config, and how init enters its cgroups. */
type Container = readonly [Config, CgroupFacts];

/**
 * Containers that have, together, what most have a part of. Each has little that is new: what is compiled at once takes
 * room in the executable.
 */
function* usualContainers(): Generator<Container> {
  const { process, mounts = [], linux = {}, ...rest } = defaultConfig();
  if (process === undefined) return;
  const config: Config = { ...rest, process, linux: { namespaces: [{ type: "mount" }, { type: "network" }] } };
  yield [config, V2];
  yield [{ ...config, process: { ...process, terminal: false, noNewPrivileges: false } }, V2];
  for (const names of [CAPABILITIES, FEWER]) {
    const capabilities = { bounding: names, effective: names, permitted: names };
    for (const additionalGids of [[], [0]])
      for (const seccomp of [{}, { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } as const }])
        yield [
          {
            ...config,
            process: { ...process, noNewPrivileges: false, user: { uid: 0, gid: 0, additionalGids }, capabilities },
            linux: { ...config.linux, ...seccomp },
          },
          V2,
        ];
  }
  for (const mount of [...mounts, ...MOUNTS])
    for (const cgroup of mount.type === "cgroup" ? [V2, ...V1] : [V2]) yield [{ ...config, mounts: [mount] }, cgroup];
  for (const mount of mounts) {
    const namespaces = [{ type: "mount" } as const, { type: "cgroup" } as const];
    if (mount.type === "cgroup") yield [{ ...config, mounts: [mount], linux: { namespaces } }, V2];
  }
  for (const path of [...(linux.maskedPaths ?? []), ...MASKED])
    yield [{ ...config, linux: { ...config.linux, maskedPaths: [path] } }, V2];
  for (const path of [...(linux.readonlyPaths ?? []), ...READONLY])
    yield [{ ...config, linux: { ...config.linux, readonlyPaths: [path] } }, V2];
}

/**
 * Compiles and assembles ahead what most containers have in common. It is done when the QuickJS form is built, whose
 * executable starts with the result in memory.
 */
export function prepareUsualContainers(): void {
  for (const [config, cgroup] of usualContainers()) {
    const { init } = keepParts(() => compile(config, { ...FACTS, cgroup }));
    stockParts(init, ffi.arch, isKept);
  }
}
