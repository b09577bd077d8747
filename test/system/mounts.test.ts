import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { Mount as ConfigMount } from "../../src/generated/config.js";
import { type Mount, parseMount } from "../../src/linux/mount-info.js";
import { asRoot, type FullConfig, type Scene, system, withCgroups } from "./harness.js";

/** What a container with these mounts, and a change, sees mounted; by mount point, the upmost only. */
function mountsOf(
  s: Scene,
  mounts: ConfigMount[],
  change: (config: FullConfig) => void = () => {},
): Map<string, Mount> {
  const lines = s.sh("cat /proc/self/mountinfo", (config) => {
    config.mounts.push(...mounts);
    change(config);
  });
  const seen = lines.trimEnd().split("\n").map(parseMount);
  return new Map(seen.map((mount) => [mount.mountPoint, mount]));
}

const tmpfs = (name: string, ...options: string[]): ConfigMount => ({
  destination: `/m/${name}`,
  type: "tmpfs",
  options,
});

/** What an option makes of a tmpfs: what is added to the mount's own options, or to the file system's. */
interface Effect {
  readonly own?: string[];
  readonly superblock?: string[];
  /** What stands in front of the option, which takes that back. */
  readonly after?: string;
}

/** Each option that shows on a tmpfs. */
const OPTIONS: Record<string, Effect> = {
  async: { after: "sync" },
  atime: { after: "noatime" },
  dev: { after: "nodev" },
  diratime: { after: "nodiratime" },
  dirsync: { superblock: ["dirsync"] },
  exec: { after: "noexec" },
  lazytime: { superblock: ["lazytime"] },
  noatime: { own: ["noatime"] },
  nodev: { own: ["nodev"] },
  nodiratime: { own: ["nodiratime"] },
  noexec: { own: ["noexec"] },
  nolazytime: { after: "lazytime" },
  norelatime: { after: "noatime" },
  nostrictatime: { after: "strictatime" },
  nosuid: { own: ["nosuid"] },
  nosymfollow: { own: ["nosymfollow"] },
  private: { after: "shared" },
  ratime: { after: "rnoatime" },
  rdev: { after: "rnodev" },
  rdiratime: { after: "rnodiratime" },
  relatime: { after: "strictatime" },
  rexec: { after: "rnoexec" },
  rnoatime: { own: ["noatime"] },
  rnodev: { own: ["nodev"] },
  rnodiratime: { own: ["nodiratime"] },
  rnoexec: { own: ["noexec"] },
  rnorelatime: { after: "rnoatime" },
  rnostrictatime: { after: "rstrictatime" },
  rnosuid: { own: ["nosuid"] },
  rnosymfollow: { own: ["nosymfollow"] },
  ro: { own: ["ro"] },
  rprivate: { after: "rshared" },
  rrelatime: { after: "rstrictatime" },
  rro: { own: ["ro"] },
  rrw: { after: "rro" },
  rstrictatime: { own: [] },
  rsuid: { after: "rnosuid" },
  rsymfollow: { after: "rnosymfollow" },
  rw: { after: "ro" },
  strictatime: {},
  suid: { after: "nosuid" },
  symfollow: { after: "nosymfollow" },
  sync: { superblock: ["sync"] },
  "size=64k": { superblock: ["size=64k"] },
  "mode=1750": { superblock: ["mode=1750"] },
};

system("each mount option has its effect on a new file system", (s) => {
  const names = Object.keys(OPTIONS);
  const seen = mountsOf(
    s,
    names.map((name) => tmpfs(name, ...(OPTIONS[name]?.after?.split(" ") ?? []), name)),
  );
  for (const name of names) {
    const { options, superOptions, propagation } = seen.get(`/m/${name}`) as Mount;
    const { own = [], superblock = [], after } = OPTIONS[name] as Effect;
    const times = /^r?(strictatime|noatime)$/.test(name) ? [] : ["relatime"];
    const access = own.includes("ro") ? [] : ["rw"];
    assert.deepEqual(options.toSorted(), [...access, ...own, ...times].toSorted(), name);
    for (const option of superblock) assert.ok(superOptions.includes(option), `${name}: ${superOptions}`);
    if (after !== undefined) assert.ok(!superOptions.includes(after), `${name}: ${superOptions}`);
    assert.deepEqual(propagation, [], name);
  }
});

system("later options win over earlier ones", (s) => {
  const seen = mountsOf(s, [
    tmpfs("a", "ro", "rw", "nosuid", "suid", "dev", "nodev"),
    tmpfs("b", "noatime", "relatime"),
    tmpfs("c", "relatime", "noatime", "atime"),
  ]);
  assert.deepEqual(seen.get("/m/a")?.options.toSorted(), ["nodev", "relatime", "rw"]);
  assert.deepEqual(seen.get("/m/b")?.options.toSorted(), ["relatime", "rw"]);
  assert.deepEqual(seen.get("/m/c")?.options.toSorted(), ["relatime", "rw"]);
});

asRoot("mount propagation is set for a mount, and for all below it", (s) => {
  const source = s.mountTmpfs("source");
  s.mountTmpfs("source/below");
  const kinds = ["shared", "slave", "private", "unbindable"];
  const bind = (option: string) => ({ destination: `/m/${option}`, source, type: "bind", options: ["rbind", option] });
  const again = (name: string, ...options: string[]) => ({ ...bind(name), options: ["rbind", ...options] });
  const seen = mountsOf(s, [
    ...[...kinds, ...kinds.map((kind) => `r${kind}`)].map(bind),
    // Who leaves a group of one has no master.
    again("shared-slave", "rshared", "slave"),
    again("shared-rslave", "rshared", "rslave"),
  ]);
  const shown: Record<string, RegExp> = {
    shared: /^shared:\d+$/,
    slave: /^$/,
    private: /^$/,
    unbindable: /^unbindable$/,
  };
  for (const kind of kinds) {
    const propagation = (path: string) => seen.get(path)?.propagation.join() as string;
    assert.match(propagation(`/m/${kind}`), shown[kind], kind);
    assert.match(propagation(`/m/${kind}/below`), /^$/, kind);
    assert.match(propagation(`/m/r${kind}`), shown[kind], `r${kind}`);
    assert.match(propagation(`/m/r${kind}/below`), shown[kind], `r${kind}`);
  }
  assert.deepEqual(seen.get("/m/shared-slave")?.propagation, []);
  assert.match(seen.get("/m/shared-slave/below")?.propagation.join() as string, shown.shared as RegExp);
  assert.deepEqual(seen.get("/m/shared-rslave/below")?.propagation, []);
});

asRoot("rootfsPropagation decides whether mounts spread between host and container", (s) => {
  const shared = s.mountTmpfs("shared", "--make-shared");
  // The host's mount, made while the container runs, is seen in one that is slave, and the other way round in none.
  for (const [propagation, spreads] of [
    ["slave", true],
    ["rslave", true],
    ["private", false],
    [undefined, true],
  ] as const) {
    s.write((config) => {
      config.process.args = ["sh", "-c", "until test -e /m/go; do sleep 0.02; done; cat /proc/self/mountinfo"];
      config.mounts.push({ destination: "/m", source: shared, type: "bind", options: ["rbind"] });
      if (propagation !== undefined) config.linux.rootfsPropagation = propagation;
    });
    const created = s.create();
    created.succeeds();
    s.fdrunc(["start", "c"]).succeeds();
    const late = s.mountTmpfs("shared/late");
    writeFileSync(`${shared}/go`, "");
    s.waitFor("stopped");
    assert.equal(spawnSync("umount", [late]).status, 0);
    s.fdrunc(["delete", "c"]).succeeds();
    const lines = created.stdout.trimEnd().split("\n").map(parseMount);
    assert.equal(
      lines.some(({ mountPoint }) => mountPoint === "/m/late"),
      spreads,
      String(propagation),
    );
    const root = lines.find(({ mountPoint }) => mountPoint === "/");
    assert.equal(
      root?.propagation.some((field) => field.startsWith("shared")),
      false,
    );
    rmSync(`${shared}/go`);
  }
});

asRoot("a shared root file system is shared", (s) => {
  for (const kind of ["shared", "unbindable"] as const) {
    const seen = mountsOf(s, [], (config) => {
      config.linux.rootfsPropagation = kind;
    });
    assert.match(seen.get("/")?.propagation.join() as string, kind === "shared" ? /^shared:\d+$/ : /^unbindable$/);
  }
});

asRoot("directories and files are bound, alone or with all below, and made where they are missing", (s) => {
  const source = s.mountTmpfs("source");
  writeFileSync(`${source}/file`, "content");
  s.mountTmpfs("source/below");
  writeFileSync(`${source}/below/deep`, "deep");
  mkdirSync(s.path("bundle/relative"));
  writeFileSync(s.path("bundle/relative/here"), "");
  const bind = (destination: string, from: string, ...options: string[]) => ({
    destination,
    source: from,
    type: "bind",
    options,
  });
  const out = s.sh(
    "ls /m/one /m/one/below /m/all/below /m/relative; cat /m/dir/a-file; stat -c %F /m/dir/a-file /m/one; grep -c ' /m' /proc/self/mountinfo",
    (config) => {
      config.mounts.push(
        bind("/m/one", source, "bind"),
        bind("/m/all", source, "rbind"),
        bind("/m/dir/a-file", `${source}/file`, "bind"),
        bind("/m/relative", "relative", "bind"),
        { destination: "/m/by-option", source, options: ["bind"] },
      );
    },
  );
  assert.equal(
    out,
    "/m/all/below:\ndeep\n\n/m/one:\nbelow\nfile\n\n/m/one/below:\n\n/m/relative:\nhere\ncontentregular file\ndirectory\n6\n",
  );
});

asRoot("ro, rro and rw on binds: for the mount, or for all below it", (s) => {
  const source = s.mountTmpfs("source");
  s.mountTmpfs("source/below", "-o", "nosuid");
  const bind = (name: string, ...options: string[]) => ({ destination: `/m/${name}`, source, type: "bind", options });
  const seen = mountsOf(s, [
    bind("plain", "rbind"),
    bind("ro", "rbind", "ro"),
    bind("rro", "rbind", "rro"),
    bind("rro-rw", "rbind", "rro", "rrw"),
    bind("attributes", "rbind", "rnosuid", "rnodev", "rnoexec", "rnoatime"),
  ]);
  const options = (path: string) => seen.get(`/m/${path}`)?.options.toSorted().join();
  assert.deepEqual(
    ["plain", "plain/below", "ro", "ro/below", "rro", "rro/below", "rro-rw", "rro-rw/below"].map(options),
    [
      "relatime,rw",
      "nosuid,relatime,rw",
      "relatime,ro",
      "nosuid,relatime,rw",
      "relatime,ro",
      "nosuid,relatime,ro",
      "relatime,rw",
      "nosuid,relatime,rw",
    ],
  );
  assert.equal(options("attributes"), "noatime,nodev,noexec,nosuid,rw");
  assert.equal(options("attributes/below"), "noatime,nodev,noexec,nosuid,rw");
});

system("remount changes a mount that is there", (s) => {
  const seen = mountsOf(s, [
    tmpfs("a", "size=64k"),
    { destination: "/m/a", type: "tmpfs", options: ["remount", "ro", "nodev", "size=128k"] },
    { destination: "/m/b", source: s.directory, type: "bind", options: ["bind"] },
    { destination: "/m/b", type: "bind", options: ["bind", "remount", "ro"], source: "none" },
  ]);
  assert.deepEqual(seen.get("/m/a")?.options.toSorted(), ["nodev", "relatime", "ro"]);
  assert.ok(seen.get("/m/a")?.superOptions.includes("size=128k"));
  assert.ok(seen.get("/m/b")?.options.includes("ro"));
});

asRoot("tmpcopyup fills a tmpfs with what lies beneath: types, modes, owners, times, links, attributes", (s) => {
  const lower = `${s.rootfs}/data`;
  mkdirSync(`${lower}/sub/deeper`, { recursive: true });
  writeFileSync(`${lower}/file`, "x".repeat(100_000));
  writeFileSync(`${lower}/sub/set-id`, "");
  symlinkSync("/absent/target", `${lower}/link`);
  chownSync(`${lower}/file`, 12, 34);
  chmodSync(`${lower}/sub/set-id`, 0o4711);
  chmodSync(`${lower}/sub`, 0o1770);
  chmodSync(lower, 0o2755);
  assert.equal(spawnSync("mknod", [`${lower}/fifo`, "p"]).status, 0);
  assert.equal(spawnSync("mknod", [`${lower}/device`, "c", "1", "3"]).status, 0);
  spawnSync("setfattr", ["-n", "user.name", "-v", "value", `${lower}/file`]);
  const list = (path: string) =>
    `cd ${path}; find . | sort | xargs stat -c '%n %F %a %u %g %s %Y %t %T' | grep -v '^. '; readlink link; cat file | wc -c`;
  const before = s.sh(list("/data"));
  const after = s.sh(
    `${list("/data")}; grep -c ' /data .* tmpfs ' /proc/self/mountinfo; echo new > /data/new`,
    (config) => {
      config.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "nosuid"] });
    },
  );
  // A directory's size is the file system's own matter.
  const comparable = (text: string) => text.replace(/( directory \d+ \d+ \d+) \d+/g, "$1");
  assert.equal(comparable(after), `${comparable(before)}1\n`);
  assert.equal(existsSync(`${lower}/new`), false);
});

asRoot("tmpcopyup leaves the mode and the owner that options give to the directory", (s) => {
  mkdirSync(`${s.rootfs}/data/sub`, { recursive: true });
  const options = (...more: string[]) => ({
    ...{ destination: "/data", type: "tmpfs", source: "tmpfs" },
    options: ["tmpcopyup", ...more],
  });
  const cases: [more: string[], shown: string][] = [
    [[], "755 0:0"],
    [["mode=1700"], "1700 0:0"],
    [["mode=1755", "uid=5"], "1755 5:0"],
    [["gid=7", "ro"], "755 0:7"],
  ];
  for (const [more, shown] of cases) {
    const out = s.sh("stat -c '%a %u:%g' /data; ls /data", (config) => {
      config.mounts.push(options(...more));
    });
    assert.equal(out, `${shown}\nsub\n`, more.join());
  }
  s.write((config) => {
    config.mounts.push(options("mode=zz"));
  });
  assert.match(s.run().fails(), /mount tmpfs on "\/data" \(step \d+\): fsconfig: .* Bad value for 'mode'$/);
});

system("tmpcopyup keeps names, links and attributes that are no UTF-8", (s) => {
  const lower = Buffer.from(`${s.rootfs}/data/`);
  mkdirSync(lower);
  // Two names that a replacement character would make the same.
  for (const byte of [0xff, 0xfe]) {
    const name = Buffer.from([0x61, byte]);
    mkdirSync(Buffer.concat([lower, name]));
    writeFileSync(Buffer.concat([lower, name, Buffer.from("/"), name]), `${byte}`);
    symlinkSync(name, Buffer.concat([lower, Buffer.from([0x6c, byte])]));
  }
  const out = s.sh(
    "cd /data; echo * | od -An -tx1; for d in l*; do readlink $d | od -An -tx1; cat $d/*; done",
    (config) => {
      config.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
    },
  );
  assert.equal(out.replace(/\s+/g, " "), " 61 fe 20 61 ff 20 6c fe 20 6c ff 0a 61 fe 0a 254 61 ff 0a 255");
});

system("a tmpfs without mode keeps the directory's", (s) => {
  mkdirSync(`${s.rootfs}/sticky`);
  chmodSync(`${s.rootfs}/sticky`, 0o1777);
  const modes = s.sh("stat -c %a /sticky /m/new /m/given", (config) => {
    config.mounts.push(
      { destination: "/sticky", type: "tmpfs", source: "tmpfs" },
      tmpfs("new"),
      tmpfs("given", "mode=700"),
    );
  });
  assert.equal(modes, "1777\n755\n700\n");
});

system("the root file system is read-only, or writable", (s) => {
  const script = "echo > /file && echo written; echo > /dev/file && echo dev";
  s.write(({ process }) => {
    process.args = ["sh", "-c", script];
  });
  const result = s.run();
  assert.equal(result.stdout, "dev\n");
  assert.match(result.stderr, /\/file: Read-only file system/);
  assert.equal(
    s.sh(script, ({ root }) => {
      root.readonly = false;
    }),
    "written\ndev\n",
  );
  assert.ok(existsSync(`${s.rootfs}/file`));
});

system("masked and read-only paths: files, directories, those that are absent, in order", (s) => {
  mkdirSync(`${s.rootfs}/secret`);
  writeFileSync(`${s.rootfs}/secret/key`, "x");
  writeFileSync(`${s.rootfs}/secret-file`, "x");
  mkdirSync(`${s.rootfs}/fixed/below`, { recursive: true });
  writeFileSync(`${s.rootfs}/fixed-file`, "x");
  const script = [
    "ls /secret; cat /secret-file; stat -c '%F %t:%T' /secret-file; touch /secret/x",
    "touch /fixed/x; touch /fixed/below/x; echo >> /fixed-file; touch /free && echo free",
    "ls /proc/scsi /sys/firmware; cat /proc/timer_list /proc/keys | wc -c; echo x > /proc/sys/kernel/hostname",
  ];
  s.write((config) => {
    config.root.readonly = false;
    config.process.args = ["sh", "-c", script.join("; ")];
    config.mounts.push({ destination: "/fixed/below", type: "tmpfs", source: "tmpfs" });
    config.linux.maskedPaths.push("/secret", "/secret-file", "/absent", "/secret-file/below");
    config.linux.readonlyPaths.push("/fixed", "/fixed-file", "/absent");
  });
  const { stdout, stderr } = s.run();
  assert.match(stdout, /^character special file 1:3\nfree\n(\/.*:\n|\n)*0\n$/);
  for (const path of ["/secret/x", "/fixed/x", "/fixed/below/x", "/fixed-file", "/proc/sys/kernel/hostname"])
    assert.match(stderr, new RegExp(`${path}: Read-only file system`), path);
});

asRoot("idmapped mounts show files as other users', here and recursively", (s, t) => {
  const source = s.path("source");
  mkdirSync(source);
  chmodSync(source, 0o777);
  writeFileSync(`${source}/file`, "");
  chownSync(`${source}/file`, 10_001, 10_002);
  const maps = {
    uidMappings: [{ containerID: 10_000, hostID: 20_000, size: 1000 }],
    gidMappings: [{ containerID: 10_000, hostID: 30_000, size: 1000 }],
  };
  s.write((config) => {
    config.root.readonly = false;
    config.process.args = ["stat", "-c", "%u:%g", "/idmap/file", "/ridmap/file", "/plain/file"];
    const bind = (destination: string, ...options: string[]) => ({ destination, source, type: "bind", options });
    config.mounts.push(
      { ...bind("/idmap", "bind", "idmap"), ...maps },
      { ...bind("/ridmap", "rbind", "ridmap"), ...maps },
      bind("/plain", "bind"),
    );
  });
  const result = s.run();
  if (/map the ids of .*\(EINVAL\)/.test(result.stderr))
    return t.skip("needs a file system that can be mounted with mapped ids");
  assert.equal(result.succeeds(), "20001:30002\n20001:30002\n10001:10002\n");
});

asRoot("an idmapped mount without maps of its own has those of the user namespace, new or joined", (s, t) => {
  const source = s.path("source");
  mkdirSync(source, { mode: 0o755 });
  writeFileSync(`${source}/file`, "");
  chownSync(`${source}/file`, 3, 4);
  chownSync(s.rootfs, 100_000, 100_000);
  const mounts = ["idmap", "ridmap"].map((option) => ({
    ...{ destination: `/${option}`, source, type: "bind", options: ["bind", option] },
  }));
  const inUserNamespace = (config: FullConfig, path?: string) => {
    config.linux.namespaces.push({ type: "user", ...(path !== undefined && { path }) });
    if (path !== undefined) return;
    config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  };
  s.write((config) => {
    inUserNamespace(config);
    config.process.args = ["sleep", "1000"];
    config.mounts.push(...mounts);
  });
  const first = s.create("first");
  if (/map the ids of .*\(EINVAL\)/.test(first.stderr))
    return t.skip("needs a file system that can be mounted with mapped ids");
  first.succeeds();
  for (const path of [undefined, `/proc/${s.stateOf("first").pid}/ns/user`]) {
    const out = s.sh("stat -c %u:%g /idmap/file /ridmap/file /plain/file", (config) => {
      inUserNamespace(config, path);
      config.linux.cgroupsPath += "-second";
      config.mounts.push(...mounts, { destination: "/plain", source, type: "bind", options: ["bind"] });
    });
    assert.equal(out, "3:4\n3:4\n65534:65534\n", path);
  }
});

asRoot("idmap is for the mount alone, ridmap for all below it", (s, t) => {
  const source = s.mountTmpfs("source");
  const below = s.mountTmpfs("source/below");
  for (const directory of [source, below]) {
    writeFileSync(`${directory}/file`, "");
    chownSync(`${directory}/file`, 5, 5);
  }
  const maps = [{ containerID: 5, hostID: 77, size: 1 }];
  s.write((config) => {
    config.process.args = ["stat", "-c", "%u", ...["one", "all"].flatMap((at) => [`/${at}/file`, `/${at}/below/file`])];
    const mount = { source, type: "bind", uidMappings: maps, gidMappings: maps };
    config.mounts.push(
      { ...mount, destination: "/one", options: ["rbind", "idmap"] },
      { ...mount, destination: "/all", options: ["rbind", "ridmap"] },
    );
  });
  const result = s.run();
  if (/map the ids of .*\(EINVAL\)/.test(result.stderr)) return t.skip("needs a tmpfs with mapped ids");
  assert.equal(result.succeeds(), "77\n5\n77\n77\n");
});

system("a relative destination starts at the root, which is a warning", (s) => {
  s.write((config) => {
    config.process.args = ["grep", "-c", " /m/n tmpfs\\| /m/n rw", "/proc/self/mountinfo"];
    config.mounts.push({ destination: "m/n", type: "tmpfs", source: "tmpfs" });
  });
  const { status, stdout, stderr } = s.run();
  assert.deepEqual([status, stdout], [0, "1\n"]);
  assert.equal(stderr, 'fdrunc: warning: mounts[7].destination: "m/n" is relative, and taken to start at "/"\n');
});

asRoot("an idmapped mount of the host's is not one that spreads to the host", (s, t) => {
  const source = s.mountTmpfs("source", "--make-shared");
  s.mountTmpfs("source/below", "--make-shared");
  const maps = [{ containerID: 0, hostID: 100_000, size: 10 }];
  const mount = (destination: string, ...options: string[]) => ({
    ...{ destination, source, type: "bind", options, uidMappings: maps, gidMappings: maps },
  });
  s.write((config) => {
    config.process.args = ["cat", "/proc/self/mountinfo"];
    config.mounts.push(
      mount("/m/one", "bind", "idmap"),
      mount("/m/all", "rbind", "ridmap"),
      mount("/m/shared", "bind", "idmap", "shared"),
    );
  });
  const result = s.run();
  if (/map the ids of .*\(EINVAL\)/.test(result.stderr))
    return t.skip("needs a tmpfs that can be mounted with mapped ids");
  const seen = new Map(
    result
      .succeeds()
      .trimEnd()
      .split("\n")
      .map((line) => [parseMount(line).mountPoint, parseMount(line).propagation]),
  );
  for (const path of ["/m/one", "/m/all", "/m/all/below"]) assert.match(String(seen.get(path)), /^master:\d+$/, path);
  // Both: told to be shared, it shares with what comes after it alone.
  assert.match(String(seen.get("/m/shared")), /^shared:\d+,master:\d+$/);
});

withCgroups("mounts of type cgroup show the container's own cgroups, read-only", (s) => {
  for (const own of [false, true]) {
    const out = s.sh(
      "cd /sys/fs/cgroup; ls; cat /proc/self/cgroup; for d in */; do test -e $d/cgroup.procs && cat $d/cgroup.procs; done; touch x",
      (config) => {
        config.process.args[2] += " 2>&1 || true";
        if (own) config.linux.namespaces.push({ type: "cgroup" });
      },
    );
    assert.match(out, /Read-only file system/);
    if (own) assert.doesNotMatch(out, /fdrunc-\d+-test/);
    else assert.match(out, /\/fdrunc-\d+-test(\/c|-c\.scope)$/m);
  }
});

system("what lies on an overlay, and mounts over each other", (s) => {
  for (const name of ["upper", "work", "lower"]) mkdirSync(s.path(name));
  writeFileSync(s.path("lower/low"), "low");
  const out = s.sh("ls /m/overlay; echo up > /m/overlay/up; ls /m/twice", (config) => {
    config.mounts.push(
      {
        destination: "/m/overlay",
        type: "overlay",
        source: "overlay",
        options: [`lowerdir=${s.path("lower")}`, `upperdir=${s.path("upper")}`, `workdir=${s.path("work")}`],
      },
      { destination: "/m/twice", type: "bind", source: s.path("lower"), options: ["bind"] },
      { destination: "/m/twice", type: "tmpfs", source: "tmpfs" },
    );
  });
  assert.equal(out, "low\n");
  assert.equal(readFileSync(s.path("upper/up"), "utf8"), "up\n");
});

system("a container of a thousand mounts and paths", (s) => {
  const out = s.sh("grep -c ' /m/' /proc/self/mountinfo; ls /m/999", (config) => {
    for (let i = 0; i < 1000; i++)
      config.mounts.push({ destination: `/m/${i}`, type: "bind", source: s.directory, options: ["bind", "ro"] });
    for (let i = 0; i < 1000; i++) config.linux.maskedPaths.push(`/m/${i}/bundle`);
  });
  assert.equal(out.split("\n")[0], "2000");
});
