import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.js";
import { checkRules, warningsOf } from "../../src/config/validate.js";
import type { Config } from "../../src/generated/config.js";
import { validateConfig } from "../../src/generated/validate-config.js";
import { capabilityMask } from "../../src/linux/capabilities.js";
import { merge } from "./merge.js";

/** What is put into the default configuration: `bad` breaks a rule with `message`, `good` comes close and does not. */
interface Case {
  bad: object;
  message: string;
  good: object[];
}

const hook = (part: object) => ({ hooks: { poststop: [{ path: "/a" }, { path: "/b", ...part }] } });
const scheduler = (part: object) => ({ process: { scheduler: part } });
const memoryPolicy = (part: object) => ({ linux: { memoryPolicy: part } });
const mounted = (part: object) => ({ mounts: [{ destination: "/a", ...part }] });
const resources = (part: object) => ({ linux: { resources: part } });
const device = (part: object) => ({ linux: { devices: [{ type: "c", path: "/dev/x", major: 1, minor: 2, ...part }] } });
const seccomp = (part: object) => ({ linux: { seccomp: { defaultAction: "SCMP_ACT_ERRNO", ...part } } });
const syscall = (part: object) => seccomp({ syscalls: [{ names: ["read"], action: "SCMP_ACT_ERRNO", ...part }] });
const notifying = (part: object) =>
  seccomp({
    syscalls: [
      { names: ["write"], action: "SCMP_ACT_ALLOW" },
      { names: ["a"], action: "SCMP_ACT_NOTIFY" },
    ],
    ...part,
  });
const WAIT_KILLABLE = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
const devices = (part: object) => ({ linux: { netDevices: part } });
const MAPPING = [{ containerID: 0, hostID: 1000, size: 1 }];
const MAPPINGS = { uidMappings: MAPPING, gidMappings: MAPPING };
const namespaces = (...types: string[]) => types.map((type) => ({ type }));
const userNamespace = (part: object) => ({ linux: { namespaces: namespaces("mount", "uts", "user"), ...part } });
const inTime = (part: object) => ({ linux: { namespaces: namespaces("mount", "uts", "time"), ...part } });

/** Nothing that needs a namespace; `linux` replaces the whole member, since the parts of arrays are not merged. */
const bare = (part: object) =>
  merge({ hostname: undefined, mounts: undefined, root: { path: "/r", readonly: false } }, part);
const NO_PATHS = { maskedPaths: [], readonlyPaths: [] };

const CASES: Record<string, Case[]> = {
  ociVersion: [
    {
      bad: { ociVersion: "1.3" },
      message: 'ociVersion: must be a version of SemVer 2.0.0 such as "1.3.0", got "1.3"',
      good: [{ ociVersion: "1.0.0" }, { ociVersion: "1.99.0" }, { ociVersion: "1.2.0-rc.1+build.7" }],
    },
    {
      bad: { ociVersion: "1.0.0-01" },
      message: 'ociVersion: must be a version of SemVer 2.0.0 such as "1.3.0", got "1.0.0-01"',
      good: [{ ociVersion: "1.0.0-0a" }],
    },
    { bad: { ociVersion: "2.0.0" }, message: 'ociVersion: must be of major version 1, got "2.0.0"', good: [] },
  ],
  root: [
    { bad: { root: undefined }, message: "root: is required", good: [{ root: { path: "." } }] },
    { bad: { root: { path: "" } }, message: "root.path: must not be empty", good: [] },
  ],
  process: [
    {
      bad: { process: { args: [] } },
      message: "process.args: must have at least one entry",
      good: [{ process: undefined }, { process: { args: ["a", ""] } }],
    },
    { bad: { process: { args: [""] } }, message: "process.args[0]: must not be empty", good: [] },
    {
      bad: { process: { cwd: "foo" } },
      message: 'process.cwd: must be an absolute path, got "foo"',
      good: [{ process: { cwd: "/foo" } }],
    },
    {
      bad: { process: { env: ["A=", "B"] } },
      message: 'process.env[1]: must have the form NAME=value, got "B"',
      good: [{ process: { env: ["A=", "B==", "a b=c"] } }],
    },
    {
      bad: { process: { env: ["=x"] } },
      message: 'process.env[0]: must have the form NAME=value, got "=x"',
      good: [],
    },
    {
      bad: { process: { execCPUAffinity: { initial: "0", final: "3-0" } } },
      message: 'process.execCPUAffinity.final: must be a list of CPUs such as "0-3,7", got "3-0"',
      good: [{ process: { execCPUAffinity: { initial: "0-3,7", final: "" } } }],
    },
    {
      bad: { process: { execCPUAffinity: { initial: "8192" } } },
      message: 'process.execCPUAffinity.initial: must be a list of CPUs such as "0-3,7", got "8192"',
      good: [],
    },
    {
      bad: { process: { user: { umask: 512 } } },
      message: "process.user.umask: must be at most 511 (octal 777), got 512",
      good: [{ process: { user: { umask: 511 } } }],
    },
    {
      bad: {
        process: {
          rlimits: [
            { type: "RLIMIT_CPU", soft: 1, hard: 1 },
            { type: "RLIMIT_CPU", soft: 1, hard: 1 },
          ],
        },
      },
      message: 'process.rlimits[1].type: must not be there twice, got "RLIMIT_CPU"',
      good: [
        {
          process: {
            rlimits: [
              { type: "RLIMIT_CPU", soft: 1, hard: 1 },
              { type: "RLIMIT_AS", soft: 1, hard: 1 },
            ],
          },
        },
      ],
    },
    {
      bad: { process: { rlimits: [{ type: "RLIMIT_CPU", soft: 2n ** 64n - 1n, hard: 7 }] } },
      message: "process.rlimits[0].soft: must be at most 7, the hard limit, got 18446744073709551615",
      good: [{ process: { rlimits: [{ type: "RLIMIT_CPU", soft: 7, hard: 2n ** 64n - 1n }] } }],
    },
  ],
  scheduler: [
    {
      bad: scheduler({ policy: "SCHED_ISO" }),
      message: 'process.scheduler.policy: must be one that Linux has implemented, got "SCHED_ISO"',
      good: [scheduler({ policy: "SCHED_IDLE" }), scheduler({ policy: "SCHED_OTHER" })],
    },
    {
      bad: scheduler({ policy: "SCHED_BATCH", nice: 20 }),
      message: "process.scheduler.nice: must be from -20 to 19, got 20",
      good: [scheduler({ policy: "SCHED_BATCH", nice: -20 }), scheduler({ policy: "SCHED_IDLE", nice: 19 })],
    },
    {
      bad: scheduler({ policy: "SCHED_FIFO" }),
      message: "process.scheduler.priority: must be from 1 to 99 for SCHED_FIFO, got 0",
      good: [scheduler({ policy: "SCHED_FIFO", priority: 99 }), scheduler({ policy: "SCHED_RR", priority: 1 })],
    },
    {
      bad: scheduler({ policy: "SCHED_OTHER", priority: 1 }),
      message: "process.scheduler.priority: must be 0 for SCHED_OTHER, got 1",
      good: [scheduler({ policy: "SCHED_OTHER", priority: 0 })],
    },
    {
      bad: scheduler({ policy: "SCHED_RR", priority: 1, flags: ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"] }),
      message: 'process.scheduler.flags[1]: must not be set for SCHED_RR, got "SCHED_FLAG_RECLAIM"',
      good: [scheduler({ policy: "SCHED_RR", priority: 1, flags: ["SCHED_FLAG_RESET_ON_FORK"] })],
    },
    {
      bad: scheduler({ policy: "SCHED_OTHER", period: 1 }),
      message: "process.scheduler.period: must be 0 for SCHED_OTHER, got 1",
      good: [scheduler({ policy: "SCHED_OTHER", period: 0 })],
    },
    {
      bad: scheduler({ policy: "SCHED_DEADLINE", deadline: 5000 }),
      message: "process.scheduler.runtime: must be at least 1024 for SCHED_DEADLINE, got 0",
      good: [
        scheduler({ policy: "SCHED_DEADLINE", runtime: 1024, deadline: 1024, flags: ["SCHED_FLAG_DL_OVERRUN"] }),
        scheduler({ policy: "SCHED_DEADLINE", nice: 19, runtime: 42000, deadline: 1000000, period: 1000000 }),
      ],
    },
    {
      bad: scheduler({ policy: "SCHED_DEADLINE", runtime: 2000, deadline: 1999 }),
      message: "process.scheduler.deadline: must be at least 2000, the runtime, got 1999",
      good: [],
    },
    {
      bad: scheduler({ policy: "SCHED_DEADLINE", runtime: 2000, deadline: 2001, period: 2000 }),
      message: "process.scheduler.period: must be at least 2001, the deadline, got 2000",
      good: [],
    },
  ],
  ioPriority: [
    {
      bad: { process: { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } } },
      message: "process.ioPriority.priority: must be from 0 to 7, got 8",
      good: [
        { process: { ioPriority: { class: "IOPRIO_CLASS_RT", priority: 7 } } },
        { process: { ioPriority: { class: "IOPRIO_CLASS_IDLE" } } },
      ],
    },
  ],
  "Intel RDT": [
    {
      bad: { linux: { intelRdt: { closID: "../a" } } },
      message: 'linux.intelRdt.closID: must be the name of a class of service, or "/" for the default one, got "../a"',
      good: [
        { linux: { intelRdt: { closID: "/" } } },
        { linux: { intelRdt: { closID: "a" } } },
        { linux: { intelRdt: {} } },
      ],
    },
    {
      bad: { linux: { intelRdt: { closID: "mon_groups" } } },
      message:
        'linux.intelRdt.closID: must be the name of a class of service, or "/" for the default one, got "mon_groups"',
      good: [{ linux: { intelRdt: { closID: "mon_group" } } }],
    },
    {
      bad: { linux: { intelRdt: { schemata: ["L3:0=f", "MB:0=20\nMB:1=20"] } } },
      message: 'linux.intelRdt.schemata[1]: must be one line, got "MB:0=20\\nMB:1=20"',
      good: [{ linux: { intelRdt: { schemata: ["L3:0=f", "MB:0=20"] } } }],
    },
  ],
  "memory policy": [
    {
      bad: memoryPolicy({ nodes: "0" }),
      message: "linux.memoryPolicy.mode: is required",
      good: [memoryPolicy({ mode: "MPOL_DEFAULT" }), memoryPolicy({ mode: "MPOL_PREFERRED", nodes: "" })],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_BIND", nodes: "3-1" }),
      message: 'linux.memoryPolicy.nodes: must be a list such as "0-3,7" of nodes from 0 to 1023, got "3-1"',
      good: [memoryPolicy({ mode: "MPOL_BIND", nodes: "0-3,7" }), memoryPolicy({ mode: "MPOL_BIND", nodes: "1023" })],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_BIND", nodes: "1024" }),
      message: 'linux.memoryPolicy.nodes: must be a list such as "0-3,7" of nodes from 0 to 1023, got "1024"',
      good: [],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_LOCAL", nodes: "0" }),
      message: 'linux.memoryPolicy.nodes: must be empty for MPOL_LOCAL, got "0"',
      good: [memoryPolicy({ mode: "MPOL_LOCAL" })],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_INTERLEAVE" }),
      message: "linux.memoryPolicy.nodes: is required for MPOL_INTERLEAVE",
      good: [],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] }),
      message: 'linux.memoryPolicy.flags[0]: must not be set for MPOL_PREFERRED, got "MPOL_F_NUMA_BALANCING"',
      good: [memoryPolicy({ mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING", "MPOL_F_STATIC_NODES"] })],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_PREFERRED", flags: ["MPOL_F_STATIC_NODES"] }),
      message: 'linux.memoryPolicy.flags[0]: needs nodes, got "MPOL_F_STATIC_NODES"',
      good: [memoryPolicy({ mode: "MPOL_PREFERRED", nodes: "1", flags: ["MPOL_F_STATIC_NODES"] })],
    },
    {
      bad: memoryPolicy({ mode: "MPOL_BIND", nodes: "1", flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"] }),
      message: 'linux.memoryPolicy.flags[0]: must not be set beside MPOL_F_RELATIVE_NODES, got "MPOL_F_STATIC_NODES"',
      good: [],
    },
  ],
  personality: [
    {
      bad: { linux: { personality: { flags: [] } } },
      message: "linux.personality.domain: is required",
      good: [{ linux: { personality: { domain: "LINUX", flags: [] } } }],
    },
    {
      bad: { linux: { personality: { domain: "LINUX32", flags: ["ADDR_NO_RANDOMIZE"] } } },
      message: 'linux.personality.flags[0]: must not be there, none is supported, got "ADDR_NO_RANDOMIZE"',
      good: [],
    },
  ],
  hooks: [
    {
      bad: hook({ path: "b" }),
      message: 'hooks.poststop[1].path: must be an absolute path, got "b"',
      good: [hook({ timeout: 1 }), { hooks: {} }],
    },
    {
      bad: hook({ env: ["B"] }),
      message: 'hooks.poststop[1].env[0]: must have the form NAME=value, got "B"',
      good: [hook({ env: ["B=1"] })],
    },
  ],
  annotations: [
    {
      bad: { annotations: { "": "a" } },
      message: 'annotations[""]: must not have an empty key',
      good: [{ annotations: { a: "" } }, { annotations: {} }],
    },
    {
      bad: { annotations: { "run.oci.systemd.subgroup": "a/../b" } },
      message: 'annotations["run.oci.systemd.subgroup"]: must be a relative path without "." or "..", got "a/../b"',
      good: ["", "a", "a/b", "a.b"].map((name) => ({ annotations: { "run.oci.systemd.subgroup": name } })),
    },
    {
      bad: { annotations: { "run.oci.delegate-cgroup": "/a" } },
      message: 'annotations["run.oci.delegate-cgroup"]: must be a relative path without "." or "..", got "/a"',
      good: [{ annotations: { "run.oci.delegate-cgroup": "a" } }],
    },
    {
      bad: { annotations: { "org.opencontainers.image.stopSignal": "SIGSTOPIT" } },
      message: 'annotations["org.opencontainers.image.stopSignal"]: must be a signal, got "SIGSTOPIT"',
      good: ["", "15", "SIGQUIT", "SIGRTMIN+3"].map((signal) => ({
        annotations: { "org.opencontainers.image.stopSignal": signal },
      })),
    },
  ],
  namespaces: [
    {
      bad: { linux: { namespaces: namespaces("mount", "uts", "mount") } },
      message: 'linux.namespaces[2].type: must not be there twice, got "mount"',
      good: [{ linux: { namespaces: namespaces("mount", "uts", "cgroup") } }],
    },
    {
      bad: { linux: { namespaces: [{ type: "mount" }, { type: "uts", path: "proc/1/ns/uts" }] } },
      message: 'linux.namespaces[1].path: must be an absolute path, got "proc/1/ns/uts"',
      good: [
        {
          linux: {
            namespaces: [
              { type: "mount", path: "" },
              { type: "uts", path: "/proc/1/ns/uts" },
            ],
          },
        },
      ],
    },
  ],
  "id mappings": [
    {
      bad: { linux: { uidMappings: MAPPING } },
      message: "linux.uidMappings: needs a user namespace",
      good: [{ linux: { uidMappings: [], gidMappings: [] } }, userNamespace(MAPPINGS)],
    },
    {
      bad: userNamespace({ uidMappings: MAPPING }),
      message: "linux.gidMappings: must have an entry for the new user namespace",
      good: [
        { linux: { namespaces: [{ type: "mount" }, { type: "uts" }, { type: "user", path: "/proc/1/ns/user" }] } },
      ],
    },
    {
      bad: userNamespace({ ...MAPPINGS, uidMappings: [{ containerID: 0, hostID: 0, size: 0 }] }),
      message: "linux.uidMappings[0].size: must be at least 1, got 0",
      good: [],
    },
  ],
  "time offsets": [
    {
      bad: { linux: { timeOffsets: { monotonic: { secs: 1 } } } },
      message: "linux.timeOffsets.monotonic: needs a time namespace",
      good: [
        { linux: { timeOffsets: {} } },
        inTime({ timeOffsets: { monotonic: { secs: -1, nanosecs: 999999999 }, boottime: {} } }),
      ],
    },
    {
      bad: inTime({ timeOffsets: { boottime: { nanosecs: 1000000000 } } }),
      message: "linux.timeOffsets.boottime.nanosecs: must be less than 1000000000, got 1000000000",
      good: [],
    },
    {
      bad: inTime({ timeOffsets: { realtime: { secs: 1 } } }),
      message: "linux.timeOffsets.realtime: must be one of monotonic, boottime",
      good: [],
    },
    {
      bad: {
        linux: {
          namespaces: [...namespaces("mount", "uts"), { type: "time", path: "/t" }],
          timeOffsets: { monotonic: {} },
        },
      },
      message: "linux.timeOffsets.monotonic: needs a time namespace that is new: another's clocks are set already",
      good: [],
    },
  ],
  "mount namespace": [
    {
      bad: { linux: { namespaces: namespaces("uts") } },
      message: "mounts: needs a mount namespace",
      good: [bare({ linux: { namespaces: [], ...NO_PATHS } })],
    },
    {
      bad: bare({ root: { readonly: true }, linux: { namespaces: [], ...NO_PATHS } }),
      message: "root.readonly: needs a mount namespace",
      good: [],
    },
    {
      bad: bare({ linux: { namespaces: [], ...NO_PATHS, maskedPaths: ["/a"] } }),
      message: "linux.maskedPaths: needs a mount namespace",
      good: [],
    },
    {
      bad: bare({ linux: { namespaces: [], ...NO_PATHS, readonlyPaths: ["/a"] } }),
      message: "linux.readonlyPaths: needs a mount namespace",
      good: [],
    },
    {
      bad: bare({ linux: { namespaces: [], ...NO_PATHS, rootfsPropagation: "slave" } }),
      message: "linux.rootfsPropagation: needs a mount namespace",
      good: [{ linux: { rootfsPropagation: "slave" } }],
    },
  ],
  "host names": [
    {
      bad: { linux: { namespaces: namespaces("mount") } },
      message: "hostname: needs a uts namespace",
      good: [{ hostname: "", linux: { namespaces: namespaces("mount") } }],
    },
    {
      bad: { hostname: undefined, domainname: "a", linux: { namespaces: namespaces("mount") } },
      message: "domainname: needs a uts namespace",
      good: [{ domainname: "a" }],
    },
    {
      bad: { hostname: `${"a".repeat(63)}é` },
      message: `hostname: must have at most 64 bytes, got "${"a".repeat(63)}é"`,
      good: [{ hostname: `${"a".repeat(62)}é` }],
    },
  ],
  mounts: [
    { bad: mounted({ destination: "" }), message: "mounts[0].destination: must not be empty", good: [mounted({})] },
    {
      bad: mounted({ options: ["ro", "rbind"] }),
      message: "mounts[0].source: is required for a bind mount",
      good: [mounted({ source: "a", options: ["rbind"] }), mounted({ type: "tmpfs" })],
    },
    { bad: mounted({ type: "bind" }), message: "mounts[0].source: is required for a bind mount", good: [] },
    {
      bad: mounted({ uidMappings: MAPPING }),
      message: "mounts[0].gidMappings: is required beside uidMappings",
      good: [mounted({ uidMappings: [], gidMappings: [] })],
    },
    {
      bad: mounted({ gidMappings: MAPPING }),
      message: "mounts[0].uidMappings: is required beside gidMappings",
      good: [],
    },
    {
      bad: mounted({ source: "a", options: ["bind", "ridmap"] }),
      message: 'mounts[0].options: "ridmap" needs uidMappings and gidMappings, or a user namespace',
      good: [
        mounted({ source: "a", options: ["bind", "idmap"], ...MAPPINGS }),
        mounted({ type: "tmpfs", uidMappings: [], gidMappings: [] }),
        { ...mounted({ source: "a", options: ["bind", "idmap"] }), ...userNamespace(MAPPINGS) },
      ],
    },
  ],
  "id-mapped mounts": [
    {
      bad: mounted({ type: "tmpfs", ...MAPPINGS }),
      message: "mounts[0].uidMappings: goes with bind mounts only",
      good: [mounted({ type: "bind", source: "a", ...MAPPINGS })],
    },
    {
      bad: { ...mounted({ type: "tmpfs", options: ["idmap"] }), ...userNamespace(MAPPINGS) },
      message: 'mounts[0].options: "idmap" goes with bind mounts only',
      good: [],
    },
    {
      bad: mounted({
        source: "a",
        options: ["bind"],
        uidMappings: [{ containerID: 0, hostID: 0, size: 0 }],
        gidMappings: MAPPING,
      }),
      message: "mounts[0].uidMappings[0].size: must be at least 1, got 0",
      good: [],
    },
  ],
  "protected paths": [
    {
      bad: { linux: { maskedPaths: ["/a", "b"] } },
      message: 'linux.maskedPaths[1]: must be an absolute path, got "b"',
      good: [{ linux: { maskedPaths: ["/a"] } }],
    },
    {
      bad: { linux: { readonlyPaths: [""] } },
      message: 'linux.readonlyPaths[0]: must be an absolute path, got ""',
      good: [{ linux: { readonlyPaths: ["/"] } }],
    },
  ],
  sysctl: [
    {
      bad: { linux: { namespaces: namespaces("mount", "uts"), sysctl: { "net.ipv4.ip_forward": "1" } } },
      message: 'linux.sysctl["net.ipv4.ip_forward"]: needs a namespace of type network',
      good: [{ linux: { sysctl: { "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1" } } }],
    },
    {
      bad: { linux: { namespaces: namespaces("mount", "uts"), sysctl: { "kernel.shmmax": "1" } } },
      message: 'linux.sysctl["kernel.shmmax"]: needs a namespace of type ipc',
      good: [{ linux: { sysctl: { "kernel.shmmax": "1", "kernel/sem": "1", "fs.mqueue.msg_max": "1" } } }],
    },
    {
      bad: { linux: { sysctl: { "kernel.domainname": "a", "user.max_user_namespaces": "1" } } },
      message: 'linux.sysctl["user.max_user_namespaces"]: needs a namespace of type user',
      good: [{ linux: { sysctl: { "kernel.domainname": "a" } } }],
    },
    {
      bad: { linux: { sysctl: { "kernel.hostname": "a" } } },
      message: 'linux.sysctl["kernel.hostname"]: must be set by the property hostname',
      good: [],
    },
    {
      bad: { linux: { sysctl: { "kernel.core_pattern": "a" } } },
      message: 'linux.sysctl["kernel.core_pattern"]: is a parameter of the whole host, not of a namespace',
      good: [],
    },
    {
      bad: { linux: { sysctl: { "net/../kernel/core_pattern": "a" } } },
      message: 'linux.sysctl["net/../kernel/core_pattern"]: must name a file below /proc/sys',
      good: [],
    },
    {
      bad: { linux: { sysctl: { "net.//.kernel.core_pattern": "a" } } },
      message: 'linux.sysctl["net.//.kernel.core_pattern"]: must name a file below /proc/sys',
      good: [],
    },
  ],
  devices: [
    {
      bad: device({ path: "dev/x" }),
      message: 'linux.devices[0].path: must be an absolute path, got "dev/x"',
      good: [device({})],
    },
    {
      bad: device({ minor: undefined }),
      message: "linux.devices[0].minor: is required for type c",
      good: [device({ type: "p", major: undefined, minor: undefined })],
    },
    {
      bad: device({ major: 4096 }),
      message: "linux.devices[0].major: must be an integer from 0 to 4095, got 4096",
      good: [device({ major: 4095, minor: 1048575 })],
    },
    {
      bad: device({ minor: -1 }),
      message: "linux.devices[0].minor: must be an integer from 0 to 1048575, got -1",
      good: [],
    },
  ],
  "device rules": [
    {
      bad: resources({ devices: [{ allow: true, type: "x" }] }),
      message: 'linux.resources.devices[0].type: must be one of a, b, c, got "x"',
      good: [resources({ devices: [{ allow: true, type: "b", major: -1 }, { allow: false }] })],
    },
    {
      bad: resources({ devices: [{ allow: true, access: "rx" }] }),
      message: 'linux.resources.devices[0].access: must be made of r, w and m, got "rx"',
      good: [resources({ devices: [{ allow: true, access: "mr" }] })],
    },
  ],
  cgroupsPath: [
    {
      bad: { linux: { cgroupsPath: "/a/../../b" } },
      message: 'linux.cgroupsPath: must not contain "..", got "/a/../../b"',
      good: [{ linux: { cgroupsPath: "/a..b/..." } }, { linux: { cgroupsPath: "a.slice:b:c" } }],
    },
  ],
  resources: [
    {
      bad: resources({ memory: { limit: -2 } }),
      message: "linux.resources.memory.limit: must be at least -1, got -2",
      good: [resources({ memory: { limit: -1, swap: 0, reservation: 2n ** 62n } })],
    },
    {
      bad: resources({ memory: { swappiness: 101 } }),
      message: "linux.resources.memory.swappiness: must be from 0 to 100, got 101",
      good: [resources({ memory: { swappiness: 100 } })],
    },
    {
      bad: resources({ memory: { limit: 1000, swap: 999 } }),
      message: "linux.resources.memory.swap: must be at least 1000, the limit of memory alone, got 999",
      good: [resources({ memory: { limit: 1000, swap: 1000 } }), resources({ memory: { limit: 1000, swap: -1 } })],
    },
    {
      bad: resources({ cpu: { idle: 2 } }),
      message: "linux.resources.cpu.idle: must be from 0 to 1, got 2",
      good: [resources({ cpu: { idle: 1 } })],
    },
    {
      bad: resources({ pids: { limit: -2 } }),
      message: "linux.resources.pids.limit: must be at least -1, got -2",
      good: [resources({ pids: { limit: -1 } }), resources({ pids: { limit: 0 } })],
    },
    {
      bad: resources({ blockIO: { weight: 9 } }),
      message: "linux.resources.blockIO.weight: must be from 10 to 1000, got 9",
      good: [resources({ blockIO: { weight: 0, leafWeight: 1000 } })],
    },
    {
      bad: resources({ unified: { "../memory.max": "1" } }),
      message: 'linux.resources.unified["../memory.max"]: must be a file name',
      good: [resources({ unified: { "memory.max": "1" } })],
    },
  ],
  "network devices": [
    {
      bad: bare({ linux: { ...NO_PATHS, namespaces: namespaces("pid"), netDevices: { a: {} } } }),
      message: "linux.netDevices: needs a network namespace",
      good: [bare({ linux: { ...NO_PATHS, namespaces: namespaces("pid"), netDevices: {} } })],
    },
    {
      bad: devices({ "a b": {} }),
      message: 'linux.netDevices["a b"]: must have the name of a network device, got "a b"',
      good: [devices({ "a%b": {}, abcdefghijklmno: {}, "eth0.1-2_3": { name: "" } })],
    },
    ...["..", "a/b", "a:b", "abcdefghijklmnop", "\u00fc".repeat(8)].map((name) => ({
      bad: devices({ a: { name } }),
      message: `linux.netDevices.a.name: must be the name of a network device, got "${name}"`,
      good: [],
    })),
    ...["a%", "%d%d", "%s"].map((name) => ({
      bad: devices({ a: { name } }),
      message: `linux.netDevices.a.name: must have no "%" but in one "%d", got "${name}"`,
      good: [devices({ a: { name: "%d" }, b: { name: "x%dy" } })],
    })),
    {
      bad: devices({ a: { name: "c" }, b: { name: "c" } }),
      message: 'linux.netDevices.b.name: must not be there twice, got "c"',
      good: [devices({ a: { name: "b" }, b: { name: "a" } }), devices({ a: { name: "c%d" }, b: { name: "c%d" } })],
    },
    {
      bad: devices({ a: { name: "b" }, b: {} }),
      message: 'linux.netDevices.b: must not be there twice, got "b"',
      good: [],
    },
  ],
  seccomp: [
    {
      bad: seccomp({ defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1 }),
      message: "linux.seccomp.defaultErrnoRet: must not be set, SCMP_ACT_ALLOW has no such number",
      good: [seccomp({ defaultErrnoRet: 38 })],
    },
    {
      bad: syscall({ action: "SCMP_ACT_KILL", errnoRet: 1 }),
      message: "linux.seccomp.syscalls[0].errnoRet: must not be set, SCMP_ACT_KILL has no such number",
      good: [syscall({ errnoRet: 1 }), syscall({ action: "SCMP_ACT_TRACE", errnoRet: 65535 })],
    },
    {
      bad: syscall({ errnoRet: 4096 }),
      message: "linux.seccomp.syscalls[0].errnoRet: must be at most 4095, got 4096",
      good: [syscall({ errnoRet: 4095 })],
    },
    {
      bad: syscall({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }),
      message: "linux.seccomp.syscalls[0].args[0].index: must be from 0 to 5, got 6",
      good: [syscall({ args: [{ index: 5, value: 0, op: "SCMP_CMP_EQ" }] })],
    },
    {
      bad: seccomp({ listenerMetadata: "x" }),
      message: "linux.seccomp.listenerPath: is required beside listenerMetadata",
      good: [seccomp({ listenerMetadata: "x", listenerPath: "/s" })],
    },
    {
      bad: notifying({ listenerPath: "s" }),
      message: 'linux.seccomp.listenerPath: must be an absolute path, got "s"',
      good: [notifying({ listenerPath: "/s" }), seccomp({ listenerPath: "" })],
    },
    {
      bad: notifying({}),
      message: "linux.seccomp.listenerPath: is required for SCMP_ACT_NOTIFY of linux.seccomp.syscalls[1]",
      good: [{ ...notifying({}), annotations: { "run.oci.seccomp.receiver": "/s" } }],
    },
    {
      bad: { ...notifying({}), annotations: { "run.oci.seccomp.receiver": "s" } },
      message: 'annotations["run.oci.seccomp.receiver"]: must be an absolute path, got "s"',
      good: [],
    },
    {
      bad: seccomp({ defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/s" }),
      message: "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action",
      good: [],
    },
    {
      bad: syscall({ names: ["read", "write"], action: "SCMP_ACT_NOTIFY" }),
      message: "linux.seccomp.syscalls[0].names[1]: SCMP_ACT_NOTIFY cannot be used for the write syscall",
      good: [syscall({ names: ["write"], action: "SCMP_ACT_ALLOW" })],
    },
    {
      bad: seccomp({ flags: ["SECCOMP_FILTER_FLAG_LOG", WAIT_KILLABLE] }),
      message: `linux.seccomp.flags[1]: ${WAIT_KILLABLE} needs a system call with SCMP_ACT_NOTIFY`,
      good: [notifying({ listenerPath: "/s", flags: [WAIT_KILLABLE] })],
    },
  ],
};

const withPart = (part: object): Config => {
  const config = merge(defaultConfig(), part);
  assert.ok(
    validateConfig(config),
    JSON.stringify(part, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
  );
  return config;
};

for (const [topic, cases] of Object.entries(CASES))
  test(`rules on ${topic}`, () => {
    for (const { bad, message, good } of cases) {
      assert.throws(() => checkRules(withPart(bad)), { name: "Failure", message });
      for (const part of good) checkRules(withPart(part));
    }
  });

test("capabilities that cannot be granted are a warning", () => {
  const config = withPart({ process: { capabilities: { bounding: ["CAP_CHOWN", "CAP_FLY"], ambient: ["chown"] } } });
  checkRules(config);
  assert.deepEqual(warningsOf(config, capabilityMask(["CAP_KILL", "CAP_CHOWN"])), [
    "process.capabilities: unknown or not to be had here, so left out: CAP_FLY, CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE, chown",
  ]);
  assert.deepEqual(warningsOf(defaultConfig(), (1n << 41n) - 1n), []);
});

test("relative destinations of mounts are a warning", () => {
  const config = withPart({
    mounts: [
      { destination: "/a", type: "tmpfs" },
      { destination: "b/c", type: "tmpfs" },
    ],
  });
  checkRules(config);
  assert.deepEqual(warningsOf(config, (1n << 41n) - 1n), [
    'mounts[1].destination: "b/c" is relative, and taken to start at "/"',
  ]);
});
