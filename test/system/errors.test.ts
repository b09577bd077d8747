import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { asRoot, FORM, type FullConfig, type Scene, system } from "./harness.js";

/** A config that must not become a container: how it is changed, and the message. */
type Refused = [what: string, path: string, value: unknown, message: RegExp];

/** Sets the property at a path, "mounts.1.type"; a number behind a list's end appends. */
function set(config: FullConfig, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() as string;
  // biome-ignore lint/suspicious/noExplicitAny: the values are wrong on purpose
  let object = config as any;
  for (const name of names) object = object[name] ??= {};
  object[last] = value;
}

/**
 * Asserts that create refuses each of these in one line that matches, and leaves nothing behind. What is refused before
 * anything is made is the same in both forms: Node's, slow to start, is asked for some.
 */
function refuses(s: Scene, cases: readonly Refused[], stride = FORM === "node" ? 4 : 1): void {
  for (const [what, path, value, message] of cases.filter((_, i) => i % stride === 0)) {
    s.write((config) => set(config, path, value));
    assert.match(s.create().fails(), message, what);
    assert.deepEqual(s.leftovers(), [], what);
  }
}

asRoot("what the specification forbids is refused by its JSON path", (s) => {
  refuses(s, [
    ["a wrong type", "process.env", "PATH=/bin", /config\.json": process\.env: must be an array, got "PATH=/],
    ["a wrong type inside", "mounts.1.options.0", 7, /": mounts\[1\]\.options\[0\]: must be a string, got 7$/],
    ["no version of SemVer", "ociVersion", "9.9.9x", /": ociVersion: must be a version .*, got "9\.9\.9x"$/],
    ["a later major version", "ociVersion", "2.0.0", /": ociVersion: must be of major version 1, got "2\.0\.0"$/],
    ["a relative cwd", "process.cwd", "tmp", /": process\.cwd: must be an absolute path, got "tmp"$/],
    ["no args", "process.args", [], /": process\.args: must have at least one entry$/],
    [
      "an id for none",
      "process.user",
      { uid: 0xffffffff },
      /": process\.user\.uid: must not be the id that stands for none/,
    ],
    [
      "a device of no name",
      "linux.devices",
      [{ type: "p", path: "/dev/.." }],
      /": linux\.devices\[0\]\.path: must name a file/,
    ],
    ["no root", "root", undefined, /": root: is required$/],
    [
      "a namespace twice",
      "linux.namespaces.5",
      { type: "pid" },
      /": linux\.namespaces\[5\]\.type: must not be there twice/,
    ],
    [
      "a limit twice",
      "process.rlimits.1",
      { type: "RLIMIT_NOFILE", soft: 1, hard: 1 },
      /": process\.rlimits\[1\]\.type: must not be there twice, got "RLIMIT_NOFILE"$/,
    ],
    [
      "an unknown action",
      "linux.seccomp.defaultAction",
      "SCMP_ACT_X",
      /": linux\.seccomp\.defaultAction: .*"SCMP_ACT_X"$/,
    ],
    ["a bind of nothing", "mounts.7", { destination: "/x", type: "bind" }, /": mounts\[7\]\.source: is required/],
    [
      "a host name without its namespace",
      "linux.namespaces",
      [{ type: "mount" }],
      /": hostname: needs a uts namespace$/,
    ],
    ["a parameter of the host", "linux.sysctl", { "vm.swappiness": "1" }, /": linux\.sysctl\["vm\.swappiness"\]: /],
    ["a path that leads out", "linux.cgroupsPath", "/a/../../b", /": linux\.cgroupsPath: must not contain "\.\."/],
    [
      "id maps without namespace",
      "linux.uidMappings",
      [{ containerID: 0, hostID: 1, size: 1 }],
      /": linux\.uidMappings: needs/,
    ],
    [
      "a hook of relative path",
      "hooks.prestart",
      [{ path: "bin/true" }],
      /": hooks\.prestart\[0\]\.path: must be an absolute/,
    ],
  ]);
});

asRoot("what does not go on this host is refused by its JSON path", (s) => {
  refuses(s, [
    ["a missing rootfs", "root.path", "absent", /^root\.path: "\/.*\/bundle\/absent": no such directory$/],
    ["a rootfs that is a file", "root.path", "config.json", /^root\.path: "\/.*\/config\.json": not a directory$/],
    ["a terminal for nobody", "process.terminal", true, /^process\.terminal: --console-socket is needed/],
    ["no type of file system", "mounts.7", { destination: "/x", source: "x" }, /^mounts\[7\]\.type: missing/],
    [
      "a mount on the root",
      "mounts.7",
      { destination: "/x/..", type: "tmpfs" },
      /^mounts\[7\]\.destination: "\/x\/\.\.": the root itself/,
    ],
    [
      "a namespace of another type",
      "linux.namespaces.1.path",
      "/proc/self/ns/uts",
      /^linux\.namespaces\[1\]\.path: "\/proc\/self\/ns\/uts": not a network namespace but a uts namespace$/,
    ],
    [
      "no namespace",
      "linux.namespaces.1.path",
      "/etc/passwd",
      /^linux\.namespaces\[1\]\.path: "\/etc\/passwd": not a network namespace$/,
    ],
    [
      "a namespace that is gone",
      "linux.namespaces.1.path",
      "/absent",
      /^linux\.namespaces\[1\]\.path: open "\/absent": no such file or directory \(ENOENT\) \(/,
    ],
    ["a CPU that is not there", "linux.resources.cpu.cpus", "4000", /^linux\.resources\.cpu\.cpus: /],
  ]);
});

asRoot("what the kernel refuses is told with its step, and nothing is left", (s) => {
  writeFileSync(`${s.rootfs}/plain`, "#!/bin/true\n", { mode: 0o644 });
  writeFileSync(`${s.rootfs}/private`, "#!/bin/true\n", { mode: 0o700 });
  refuses(
    s,
    [
      [
        "an unknown mount option",
        "mounts.1.options.4",
        "colour=red",
        /^mounts\[1\]: mount tmpfs on "\/dev" \(step \d+\): fsconfig: invalid argument \(EINVAL\): .*colour/,
      ],
      [
        "an unknown file system",
        "mounts.1.type",
        "nofs",
        /^mounts\[1\]: mount nofs on "\/dev" \(step \d+\): fsopen: no such device \(ENODEV\)$/,
      ],
      [
        "a bind of nothing",
        "mounts.7",
        { destination: "/x", type: "bind", source: "/absent/x" },
        /^mounts\[7\]: bind "\/absent\/x" on "\/x" \(step \d+\): open_tree: no such file or directory \(ENOENT\)$/,
      ],
      [
        "a bind of a directory on a file",
        "mounts.7",
        { destination: "/plain", type: "bind", source: "/tmp" },
        /^mounts\[7\]: bind "\/tmp" on "\/plain" \(step \d+\): move_mount: .* \((ENOTDIR|EINVAL)\)$/,
      ],
      [
        "no program of this path",
        "process.args",
        ["/bin/absent"],
        /^process\.args\[0\]: exec "\/bin\/absent" \(step \d+\): faccessat2: no such file or directory \(ENOENT\)$/,
      ],
      [
        "no program of this name",
        "process.args",
        ["absent"],
        /^process\.args\[0\]: exec "absent": executable file not found in \$PATH \(step \d+\): no such file .* \(ENOENT\)$/,
      ],
      [
        "a file that is not executable",
        "process.args",
        ["/plain"],
        /^process\.args\[0\]: exec "\/plain" \(step \d+\): faccessat2: permission denied \(EACCES\)$/,
      ],
      [
        "a directory",
        "process.args",
        ["/bin"],
        /^process\.args\[0\]: exec "\/bin" \(step \d+\): permission denied \(EACCES\) \(it is a directory\)$/,
      ],
      [
        "a name that is there but not executable",
        "process",
        { ...s.config.process, args: ["plain"], env: ["PATH=/bin:/"] },
        /^process\.args\[0\]: exec "plain" \(step \d+\): permission denied \(EACCES\) \(none of the files/,
      ],
      [
        "a program of somebody else",
        "process",
        { ...s.config.process, args: ["/private"], user: { uid: 1, gid: 1 } },
        /^process\.args\[0\]: exec "\/private" \(step \d+\): faccessat2: permission denied \(EACCES\)/,
      ],
      ["a cwd that is a file", "process.cwd", "/plain", /^process\.cwd: .*"\/plain" \(step \d+\): .* \(ENOTDIR\)$/],
      [
        "a device in place of another file",
        "linux.devices",
        [{ type: "c", path: "/plain", major: 1, minor: 3 }],
        /^linux\.devices\[0\]: make device "\/plain" \(step \d+\): file exists \(EEXIST\)$/,
      ],
    ],
    1,
  );
});

system("what takes CAP_SYS_RESOURCE is refused without it", (s, t) => {
  const effective = /^CapEff:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const CAP_SYS_RESOURCE = 24n;
  if ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) return t.skip("needs to run without CAP_SYS_RESOURCE");
  refuses(
    s,
    [
      [
        "a higher limit",
        "process.rlimits",
        [{ type: "RLIMIT_NPROC", soft: 2 ** 40, hard: 2 ** 40 }],
        /^process\.rlimits\[0\]: set RLIMIT_NPROC to .*\(EPERM\) \(raising a hard limit takes CAP_SYS_RESOURCE\)$/,
      ],
      [
        "a lower score",
        "process.oomScoreAdj",
        -500,
        /^process\.oomScoreAdj: .* \(it takes CAP_SYS_RESOURCE to lower it, .*\)$/,
      ],
    ],
    1,
  );
});

system("a config.json that is no JSON is refused by line and column, and one that is not there by its path", (s) => {
  const text = JSON.stringify(s.config, null, "\t");
  s.writeText(text.slice(0, text.indexOf('"user"') + 8));
  const line = text.slice(0, text.indexOf('"user"')).split("\n").length;
  assert.match(
    s.create().fails(),
    new RegExp(`^".*/config\\.json": line ${line}, column \\d+: unexpected end of input`),
  );
  s.writeText(`${text}x`);
  assert.match(s.create().fails(), /^".*\/config\.json": line \d+, column 2: unexpected/);
  assert.match(
    s.create("c", "--bundle", "/absent").fails(),
    /^open "\/absent\/config\.json": no such file .* \(ENOENT\)$/,
  );
  assert.deepEqual(s.leftovers(), []);
});

system("ids that are none are refused", (s) => {
  for (const id of ["../x", ".", "..", "", "a/b", "a b", "ä"])
    assert.match(s.fdrunc(["create", "--", id]).fails(), /^container id ".*": not of the form /, id);
  for (const command of ["state", "delete", "kill", "start", "run"])
    assert.match(s.fdrunc([command, "../x"]).fails(), /^container id "..\/x": not of the form /, command);
  assert.match(s.create("x".repeat(300)).fails(), /^mkdir ".*": file name too long \(ENAMETOOLONG\)$/);
  assert.deepEqual(s.leftovers(), []);
});

system("files and sockets that the flags name and that do not do", (s) => {
  writeFileSync(s.path("file"), "");
  const cases: [flags: string[], message: RegExp][] = [
    [["--root", s.path("file"), "create", "c"], /^mkdir "\/.*\/file\/c": not a directory \(ENOTDIR\)$/],
    [["--root", "/proc/absent", "create", "c"], /^mkdir "\/proc\/absent": .* \(ENOENT\)$/],
    [
      ["create", "--pid-file", "/absent/pid", "c"],
      /^--pid-file "\/absent\/pid": open ".*": no such file or directory \(ENOENT\)$/,
    ],
    [["create", "--console-socket", s.path("absent"), "c"], /^--console-socket: process\.terminal is not set$/],
    [["create", "--preserve-fds", "many", "c"], /preserve-fds.*not a number of descriptors/],
    [["create", "--no-such-flag", "c"], /^unknown option '--no-such-flag'$/],
    [["create"], /^missing required argument 'id'$/],
    [["create", "c", "d"], /too many arguments/],
    [["nonsense"], /^unknown command 'nonsense'/],
    [[], /^no command given/],
    [["--log-format", "yaml", "list"], /'yaml' is invalid/],
  ];
  for (const [args, message] of cases) {
    assert.match(s.fdrunc(args).fails(), message, args.join(" "));
    assert.deepEqual(s.leftovers(), [], args.join(" "));
  }
  s.write((config) => {
    config.process.terminal = true;
  });
  const socket = (path: string) => s.create("c", "--console-socket", path).fails();
  assert.match(socket(s.path("absent")), /^--console-socket ".*\/absent": connect to ".*": .* \(ENOENT\)$/);
  assert.match(
    socket(s.path("file")),
    /^--console-socket ".*\/file": connect to ".*": connection refused \(ECONNREFUSED\)$/,
  );
  assert.match(socket(`/${"x".repeat(120)}`), /^--console-socket "\/x+": the socket's path is longer than 107 bytes$/);
  assert.deepEqual(s.leftovers(), []);
});

asRoot("a state that cannot be written for want of room is told by its file, and not begun", (s) => {
  s.mountTmpfs("state", "-o", "size=4k");
  s.write(() => {});
  assert.match(
    s.create().fails(),
    /^".*\/state\/c\/(config|state)\.json": write.*: no space left on device \(ENOSPC\)$/,
  );
  assert.deepEqual(s.leftovers(), []);
});

system("a log that cannot be written is told, beside the error itself", (s) => {
  const { status, stderr } = s.fdrunc(["--log", "/absent/log", "state", "absent"]);
  assert.equal(status, 1);
  assert.match(stderr, /^fdrunc: --log "\/absent\/log": .* \(ENOENT\)\nfdrunc: container "absent" does not exist\n$/);
});

asRoot("where a process or a namespace is one too many, it is told what may allow no more", (s) => {
  s.write(() => {});
  const shown = s.fdrunc(["plan"]).succeeds();
  for (const [call, errno, message] of [
    [
      "clone3",
      "EAGAIN",
      /^start init.* \(step \d+\): clone3: .*\(EAGAIN\) \(pids\.max of a cgroup, .* no more processes\)$/,
    ],
    [
      "unshare",
      "ENOSPC",
      /^linux\.namespaces: make namespaces .*: unshare: .* \(a limit in \/proc\/sys\/user allows no more/,
    ],
  ] as const) {
    const [, number] = new RegExp(`^ *(\\d+) +${call}\\(`, "m").exec(shown) ?? [];
    assert.match(s.create("c", "--fail-step", `${number}:${errno}`).fails(), message);
    assert.deepEqual(s.leftovers(), []);
  }
});

system("an error met at start is told there", (s) => {
  writeFileSync(`${s.rootfs}/script`, "#!/absent/interpreter\n", { mode: 0o755 });
  writeFileSync(`${s.rootfs}/text`, "neither program nor script\n", { mode: 0o755 });
  for (const [file, message] of [
    [
      "/script",
      /^process\.args\[0\]: exec "\/script" \(step \d+\): execve: no such file or directory \(ENOENT\) \(if the file/,
    ],
    ["/text", /^process\.args\[0\]: exec "\/text" \(step \d+\): execve: exec format error \(ENOEXEC\)/],
  ] as const) {
    s.write((config) => {
      config.process.args = [file];
    });
    s.create().succeeds();
    assert.match(s.fdrunc(["start", "c"]).fails(), message);
    s.waitFor("stopped");
    s.fdrunc(["delete", "c"]).succeeds();
    s.assertNothingLeft();
    assert.match(s.run().fails(), message);
    s.assertNothingLeft();
  }
});
