import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { cgroupHierarchies, isUnified } from "../../src/cgroup/hierarchy.js";
import { parseMount } from "../../src/linux/mount-info.js";
import { asRoot, type FullConfig, removeCgroupsOfRunc, type Scene } from "./harness.js";

/** What a container tells of itself, by heading; each a shell command. */
const QUESTIONS: Record<string, string> = {
  status: "grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig(Ign|Blk|Cgt)|Threads)' /proc/self/status",
  mounts: "cat /proc/self/mountinfo",
  environment: "env | sort",
  directory: "pwd",
  user: "id",
  host: "hostname; cat /proc/sys/kernel/domainname",
  descriptors: "ls /proc/self/fd",
  devices: "cd /dev; find . -type c -o -type b -o -type p | sort | xargs stat -c '%n %F %a %u:%g %t:%T'",
  links: "cd /dev; for f in *; do test -L $f && echo $f $(readlink $f); done",
  limits: "cat /proc/self/limits",
  session: "awk '{ print $1 == $5, $1 == $6, $7, $8 }' /proc/$$/stat",
  score:
    "cat /proc/self/oom_score_adj /proc/self/timerslack_ns /proc/self/coredump_filter /proc/self/personality 2>/dev/null",
  cgroups: "cut -d: -f 2- /proc/self/cgroup",
  parameters:
    "cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_forward",
  interfaces: "cat /proc/net/dev | cut -d: -f1; cat /proc/net/if_inet6 /proc/net/fib_trie",
  root: "ls -l / | cut -c1-10; touch /x 2>&1 && rm /x; ls /proc/acpi /sys/firmware /proc/scsi 2>&1; cat /proc/keys | wc -c",
  readonly:
    "for f in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do touch $f/x 2>&1 | sed 's/.*: //'; done",
};

const SCRIPT = Object.entries(QUESTIONS)
  .map(([heading, question]) => `echo '== ${heading}'; (${question}) 2>&1`)
  .join("\n");

/** The answers by heading, mounts as text that does not depend on numbers. */
function answers(output: string): Record<string, string> {
  const parts = output.split(/^== (\w+)\n/m).slice(1);
  const all: Record<string, string> = {};
  for (let i = 0; i < parts.length; i += 2) all[parts[i]] = parts[i + 1];
  all.mounts = all.mounts.trimEnd().split("\n").map(mountText).join("\n");
  return all;
}

function mountText(line: string): string {
  const { mountPoint, type, root, options, superOptions, propagation } = parseMount(line);
  const sorted = (list: string[]) => list.toSorted().join();
  // Which host directory it is, and numbers of peer groups, differ from run to run.
  const from = root.replace(/^\/.*\/(fdrunc-[^/]+\/)/, "");
  const spread = propagation.map((field) => field.replace(/\d+/, "N")).join();
  const meant = type === "tmpfs" ? MEANT : [];
  const isHierarchies = mountPoint === "/sys/fs/cgroup";
  const own = isHierarchies ? options.filter((option) => !ACCESS.includes(option)) : options;
  const others = superOptions.filter((option) => !meant.includes(option));
  return `${mountPoint} ${type} ${from} ${sorted(own)} ${sorted(others)} ${spread}`;
}

/** The option ro holds for the directory of the hierarchies as well in ours. */
const ACCESS = ["ro", "rw"];

/** Masked directories lie behind a file system without room in ours, and a read-only mount's is read-only itself. */
const MEANT = ["mode=555", "nr_inodes=1", "size=4k", ...ACCESS];

/** Runs the bundle with fdrunc and with runc. */
function both(
  s: Scene,
  change: (config: FullConfig) => void,
): [ours: Record<string, string>, theirs: Record<string, string>] {
  s.write((config) => {
    config.process.args = ["sh", "-c", SCRIPT];
    change(config);
  });
  const ours = s.run().succeeds();
  const runc = spawnSync("runc", ["--root", s.path("runc"), "run", "--bundle", s.bundle, "c"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH },
  });
  removeCgroupsOfRunc();
  assert.deepEqual([runc.status, runc.stderr], [0, ""]);
  return [answers(ours), answers(runc.stdout)];
}

/** A difference that is meant: the heading, what is replaced in both answers, why. */
type Difference = [heading: string, pattern: RegExp, replacement: string, why: string];

const DIFFERENCES: Difference[] = [
  ["links", /^core \/proc\/kcore\n/m, "", "ours are made without a look whether they lead anywhere"],
];
const unified = isUnified(cgroupHierarchies());
// Beside v1's controllers, ours leaves cgroup v2 alone where no limit needs it.
if (!unified) DIFFERENCES.push(["cgroups", /^:.*\n/m, "", "runc uses v2 all the same"]);

function compare(s: Scene, change: (config: FullConfig) => void): void {
  const [ours, theirs] = both(s, change);
  for (const [heading, pattern, replacement] of DIFFERENCES)
    for (const all of [ours, theirs]) all[heading] = all[heading].replace(pattern, replacement);
  for (const heading of Object.keys(QUESTIONS)) assert.equal(ours[heading], theirs[heading], heading);
}

const without = spawnSync("runc", ["--version"]).status !== 0;

function beside(name: string, change: (s: Scene, config: FullConfig) => void): void {
  asRoot(`beside runc: ${name}`, (s, t) => {
    if (without) return t.skip("needs runc");
    compare(s, (config) => {
      change(s, config);
      // Without one, runc mounts all of cgroup v2, and so takes away the options that the host's has.
      const { namespaces } = config.linux;
      if (unified && !namespaces.some(({ type }) => type === "cgroup")) namespaces.push({ type: "cgroup" });
    });
  });
}

beside("the default config", () => {});

beside("an ordinary user with groups, capabilities, limits and a score", (_, { process }) => {
  process.user = { uid: 1000, gid: 1001, additionalGids: [4, 1002], umask: 0o27 };
  process.cwd = "/made";
  process.noNewPrivileges = false;
  process.oomScoreAdj = 250;
  process.capabilities = {
    bounding: ["CAP_NET_RAW", "CAP_CHOWN"],
    permitted: ["CAP_NET_RAW", "CAP_CHOWN"],
    effective: ["CAP_CHOWN"],
    inheritable: ["CAP_NET_RAW"],
    ambient: ["CAP_NET_RAW"],
  };
  process.rlimits = [
    { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
    { type: "RLIMIT_CORE", soft: 0, hard: 18446744073709551615n },
    { type: "RLIMIT_STACK", soft: 4 << 20, hard: 16 << 20 },
  ];
});

beside("mounts of all kinds", (s, config) => {
  const source = s.path("source");
  mkdirSync(`${source}/below`, { recursive: true });
  writeFileSync(`${source}/file`, "");
  const bind = (destination: string, from: string, ...options: string[]) => ({
    destination,
    source: from,
    type: "bind",
    options,
  });
  config.root.readonly = false;
  config.mounts.push(
    bind("/m/plain", source, "bind"),
    bind("/m/all", source, "rbind", "ro", "nosuid", "nodev", "noexec"),
    bind("/m/noatime", source, "rbind", "noatime", "rprivate"),
    bind("/m/file", `${source}/file`, "bind", "ro"),
    bind("/m/slave", source, "rbind", "rslave"),
    bind("/m/shared", source, "rbind", "rshared"),
    { destination: "/m/tmpfs", type: "tmpfs", source: "some", options: ["size=1m", "mode=1777", "nosuid", "noexec"] },
    { destination: "/m/defaults", type: "tmpfs", source: "tmpfs" },
    { destination: "/m/again/deep/er", type: "tmpfs", source: "tmpfs", options: ["ro", "mode=700", "nr_inodes=10"] },
  );
  config.linux.readonlyPaths.push("/m/plain");
  config.linux.maskedPaths.push("/m/all/below", "/m/file");
});

beside("devices, sysctl, masked paths, host names", (_, config) => {
  config.linux.devices = [
    { type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o620, uid: 3, gid: 4 },
    { type: "p", path: "/dev/pipe", fileMode: 0o600 },
    { type: "b", path: "/dev/below/disk", major: 7, minor: 200, fileMode: 0o640 },
  ];
  config.linux.sysctl = { "net.ipv4.ping_group_range": "7 9", "net.ipv4.ip_unprivileged_port_start": "80" };
  config.hostname = "somebody";
});

beside("few namespaces", (_, config) => {
  config.linux.namespaces = [{ type: "mount" }, { type: "uts" }];
  config.linux.rootfsPropagation = "rprivate";
});

beside("a cgroup namespace", (_, config) => {
  config.linux.namespaces.push({ type: "cgroup" });
});

beside("a user namespace", (s, config) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = maps;
  config.linux.gidMappings = maps;
});
