import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import type { IDMapping, NamespaceType } from "../../src/generated/config.js";
import { asRoot, eventually, type FullConfig, type Scene, system } from "./harness.js";

const FILES: Record<string, string> = {
  pid: "pid",
  network: "net",
  ipc: "ipc",
  uts: "uts",
  mount: "mnt",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};

/** The namespaces of a process, by config name. */
const namespacesOf = (pid: number | "self"): Record<string, string> =>
  Object.fromEntries(Object.entries(FILES).map(([type, file]) => [type, readlinkSync(`/proc/${pid}/ns/${file}`)]));

/** The namespaces that a container runs in, by config name. */
function namespacesIn(s: Scene, change: (config: FullConfig) => void): Record<string, string> {
  const script = Object.values(FILES)
    .map((file) => `readlink /proc/self/ns/${file}`)
    .join("; ");
  const links = s.sh(script, change).trimEnd().split("\n");
  return Object.fromEntries(Object.keys(FILES).map((type, i) => [type, links[i]]));
}

const MAPS: IDMapping[] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/** Puts a container in a user namespace of its own. */
function inUserNamespace(config: FullConfig): void {
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = MAPS;
  config.linux.gidMappings = MAPS;
}

asRoot("a container has the namespaces that the config lists, and the runtime's for the rest", (s) => {
  const outside = namespacesOf("self");
  const lists: NamespaceType[][] = [
    ["pid", "network", "ipc", "uts", "mount", "cgroup", "time"],
    ["mount"],
    ["mount", "uts", "pid"],
  ];
  for (const list of lists) {
    const inside = namespacesIn(s, (config) => {
      config.linux.namespaces = list.map((type) => ({ type }));
      if (!list.includes("uts")) config.hostname = "";
    });
    for (const type of Object.keys(FILES))
      assert.equal(inside[type] !== outside[type], (list as string[]).includes(type), `${type} of ${list}`);
  }
});

asRoot("namespaces of another container are joined by their paths", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.hostname = "the-first";
    config.linux.namespaces.push({ type: "cgroup" });
  });
  s.create("first").succeeds();
  s.fdrunc(["start", "first"]).succeeds();
  const pid = Number(s.stateOf("first").pid);
  const first = namespacesOf(pid);
  for (const types of [["network"], ["ipc", "uts", "cgroup"], ["pid"], ["pid", "network", "ipc", "uts", "cgroup"]]) {
    const inside = namespacesIn(s, (config) => {
      config.hostname = "";
      config.linux.cgroupsPath += "-second";
      config.linux.namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({
        type: type as NamespaceType,
        ...(types.includes(type) && { path: `/proc/${pid}/ns/${FILES[type]}` }),
      }));
    });
    for (const type of ["pid", "network", "ipc", "uts", "mount", "cgroup"])
      assert.equal(inside[type] === first[type], types.includes(type), `${type} of ${types}`);
  }
  const name = s.sh("hostname; cat /proc/1/cmdline", (config) => {
    config.hostname = "";
    config.linux.cgroupsPath += "-second";
    config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
      type === "uts" || type === "pid" ? { type, path: `/proc/${pid}/ns/${FILES[type]}` } : { type },
    );
  });
  assert.equal(name, "the-first\nsleep\x001000\0");
});

asRoot("a mount namespace is joined by its path", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.mounts.push({ destination: "/m", type: "tmpfs", source: "tmpfs" });
  });
  s.create("first").succeeds();
  const directory = `/proc/${s.stateOf("first").pid}/ns`;
  s.write((config) => {
    config.root.path = "/";
    config.root.readonly = false;
    config.process.args = ["sh", "-c", "grep -c ' /m ' /proc/self/mountinfo"];
    config.linux.cgroupsPath += "-second";
    config.linux.namespaces = [
      { type: "mount", path: `${directory}/mnt` },
      // The procfs that lies there shows the processes of these ids.
      { type: "pid", path: `${directory}/pid` },
    ];
    config.linux.maskedPaths = [];
    config.linux.readonlyPaths = [];
    config.hostname = "";
    config.mounts = [];
  });
  const { status, stdout, stderr } = s.run("second");
  assert.deepEqual([status, stdout, stderr], [0, "1\n", ""]);
});

system("host name and domain name are the container's own", (s) => {
  const [host, domain] = ["/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"].map((file) =>
    readFileSync(file, "utf8"),
  );
  const out = s.sh("cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname", (config) => {
    config.hostname = "a-name";
    config.domainname = "example.org";
  });
  assert.equal(out, "a-name\nexample.org\n");
  assert.deepEqual(
    [host, domain],
    ["/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"].map((file) => readFileSync(file, "utf8")),
  );
});

asRoot("kernel parameters are set in the container's namespaces alone", (s) => {
  const files = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmax", "/proc/sys/fs/mqueue/msg_max"];
  const before = files.map((file) => readFileSync(file, "utf8"));
  const sysctl = {
    "net.ipv4.ip_forward": "1",
    "kernel.shmmax": "123456",
    "fs/mqueue/msg_max": "11",
    "net.ipv4.ping_group_range": "5 6",
  };
  const out = s.sh(`cat ${files.join(" ")} /proc/sys/net/ipv4/ping_group_range`, ({ linux }) => {
    linux.sysctl = sysctl;
  });
  assert.equal(out, "1\n123456\n11\n5\t6\n");
  const without = s.sh("cat /sysctl || true", (config) => {
    config.process.args = ["sh", "-c", "echo fine"];
    config.linux.sysctl = sysctl;
    // No procfs of the container's own.
    config.mounts = config.mounts.filter(({ type }) => type !== "proc");
    config.linux.maskedPaths = [];
    config.linux.readonlyPaths = [];
  });
  assert.equal(without, "fine\n");
  assert.deepEqual(
    before,
    files.map((file) => readFileSync(file, "utf8")),
  );
  s.write(({ linux }) => {
    linux.sysctl = { "net.no.such": "1" };
  });
  assert.match(
    s.run().fails(),
    /^linux\.sysctl\["net\.no\.such"\]: set kernel parameter net\.no\.such to "1" \(step \d+\): openat2: .*ENOENT/,
  );
});

asRoot("a user namespace maps ids; files, devices and mounts work in it", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  mkdirSync(`${s.rootfs}/data`);
  chownSync(`${s.rootfs}/data`, 100_000, 100_000);
  const out = s.sh(
    "cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g; stat -c %u:%g /data / /bin; touch /data/file; " +
      "echo > /dev/null; head -c 1 /dev/zero | wc -c; stat -c '%F %t:%T' /dev/null; grep CapEff /proc/self/status; hostname; ls /dev/pts/ptmx /sys/fs/cgroup",
    (config) => {
      inUserNamespace(config);
      config.root.readonly = false;
      config.hostname = "mapped";
      config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 512, hard: 512 }];
      config.process.capabilities = {
        bounding: ["CAP_CHOWN", "CAP_SYS_ADMIN"],
        permitted: ["CAP_CHOWN"],
        effective: ["CAP_CHOWN"],
      };
    },
  );
  const [uids, gids, ...rest] = out.trimEnd().split("\n");
  for (const map of [uids, gids]) assert.match(map, /^ +0 +100000 +65536$/);
  assert.deepEqual(rest.slice(0, 9), [
    "0",
    "0",
    "0:0",
    "0:0",
    "65534:65534",
    "1",
    "character special file 1:3",
    "CapEff:\t0000000000000001",
    "mapped",
  ]);
  const { uid, gid } = statSync(`${s.rootfs}/data/file`);
  assert.deepEqual([uid, gid], [100_000, 100_000]);
});

asRoot("what only the host's root may look for is bound in a user namespace all the same", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  mkdirSync(s.path("private/shared"), { recursive: true });
  writeFileSync(s.path("private/file"), "content", { mode: 0o644 });
  chmodSync(s.path("private"), 0o700);
  const out = s.sh("cat /file; touch /file 2>&1; ls -d /shared", (config) => {
    inUserNamespace(config);
    config.mounts.push(
      { destination: "/file", type: "bind", source: s.path("private/file"), options: ["bind", "ro"] },
      { destination: "/shared", type: "bind", source: s.path("private/shared"), options: ["rbind"] },
    );
  });
  assert.equal(out, "contenttouch: /file: Read-only file system\n/shared\n");
});

asRoot("an ordinary user in a user namespace", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const out = s.sh("id; cat /proc/self/status", (config) => {
    inUserNamespace(config);
    config.process.user = { uid: 1000, gid: 1001, additionalGids: [1002] };
  });
  assert.match(out, /^uid=1000 gid=1001 groups=1002\n/);
  assert.match(out, /^CapEff:\t0000000000000000$/m);
});

asRoot("a user namespace and others in it are joined by their paths", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  s.write((config) => {
    inUserNamespace(config);
    config.process.args = ["sleep", "1000"];
  });
  s.create("first").succeeds();
  const pid = Number(s.stateOf("first").pid);
  const first = namespacesOf(pid);
  for (const types of [["user"], ["user", "network", "uts", "ipc"], ["user", "pid", "network"]]) {
    const inside = namespacesIn(s, (config) => {
      config.hostname = "";
      config.linux.cgroupsPath += "-second";
      config.linux.namespaces = ["pid", "network", "ipc", "uts", "mount", "user"].map((type) => ({
        type: type as NamespaceType,
        ...(types.includes(type) && { path: `/proc/${pid}/ns/${FILES[type]}` }),
      }));
    });
    for (const type of ["pid", "network", "ipc", "uts", "mount", "user"])
      assert.equal(inside[type] === first[type], types.includes(type), `${type} of ${types}`);
  }
});

asRoot("a cgroup namespace of the host's is joined beside a new user namespace, by what is added, too", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const holder = s.spawn(["unshare", "--cgroup", "sleep", "1000"]).child.pid as number;
  const path = `/proc/${holder}/ns/cgroup`;
  eventually(() => assert.notEqual(readlinkSync(path), readlinkSync("/proc/self/ns/cgroup")));
  mkdirSync(s.path("out"));
  chmodSync(s.path("out"), 0o777);
  s.write((config) => {
    inUserNamespace(config);
    config.linux.namespaces.push({ type: "cgroup", path });
    // It is the host's to mount.
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.process.args = ["sleep", "1000"];
    config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
    config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat /proc/self/cgroup > /out/hook"] }] };
  });
  s.create().succeeds();
  s.fdrunc(["start", "c"]).succeeds();
  const read = "readlink /proc/self/ns/cgroup; readlink /proc/self/ns/user; cat /proc/self/cgroup";
  const { pid } = s.stateOf();
  const { cgroup, user } = namespacesOf(Number(pid));
  assert.equal(cgroup, readlinkSync(path));
  const [ownCgroup, ownUser, ...cgroups] = s.fdrunc(["exec", "c", "sh", "-c", read]).succeeds().split("\n");
  assert.deepEqual([ownCgroup, ownUser], [cgroup, user]);
  const ofInit = s.fdrunc(["exec", "c", "cat", "/proc/1/cgroup"]).succeeds();
  assert.equal(cgroups.join("\n"), ofInit);
  assert.equal(readFileSync(s.path("out/hook"), "utf8"), ofInit);
});

asRoot("a network namespace that nothing of this machine's belongs to", (s) => {
  const pid = s.spawn(["unshare", "--net", "sleep", "1000"]).child.pid as number;
  eventually(() => assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync("/proc/self/ns/net")));
  const inside = namespacesIn(s, (config) => {
    config.linux.namespaces = config.linux.namespaces.map((namespace) =>
      namespace.type === "network" ? { type: "network", path: `/proc/${pid}/ns/net` } : namespace,
    );
  });
  assert.equal(inside.network, readlinkSync(`/proc/${pid}/ns/net`));
});

asRoot("id maps that the kernel refuses are told by their property", (s) => {
  s.write((config) => {
    inUserNamespace(config);
    config.linux.uidMappings = [MAPS[0], { ...MAPS[0], containerID: 10 }];
  });
  assert.match(s.run().fails(), /^linux\.uidMappings: write "\/proc\/\d+\/uid_map": invalid argument \(EINVAL\)$/);
  s.assertNothingLeft();
  s.write((config) => {
    inUserNamespace(config);
    config.linux.uidMappings = [{ ...MAPS[0], containerID: 10 }];
  });
  assert.match(
    s.run().fails(),
    /^linux\.uidMappings: become root in the user namespace \(step \d+\): .*\(is container id 0 mapped\?\)$/,
  );
  s.assertNothingLeft();
});

asRoot("in a new network namespace lo is up, in a joined one it is left as it is", (s) => {
  // The kernel puts ::1 on a device when it comes up.
  const loopback = (change: (config: FullConfig) => void) => s.sh("ifconfig lo | grep -c UP; true", change).trim();
  const network = (path?: string) => (config: FullConfig) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
    config.linux.namespaces.push({ type: "network", ...(path !== undefined && { path }) });
  };
  assert.equal(loopback(network()), "1");
  const { child: holder } = s.spawn(["unshare", "--net", "sleep", "1000"]);
  const path = `/proc/${holder.pid}/ns/net`;
  eventually(() => assert.notEqual(readlinkSync(path), readlinkSync("/proc/self/ns/net")));
  assert.equal(loopback(network(path)), "0");
});
