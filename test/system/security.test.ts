import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { C } from "../../src/linux/constants.js";
import { sys } from "../../src/linux/syscall.js";
import { asRoot, FORM, type FullConfig, mountInfo, type Scene, SYSTEMD, system } from "./harness.js";

/*
 * Past holes of container runtimes, by the numbers under which they are known: an image or a config does what an
 * attacker would, and the host must not be touched.
 */

/** A directory of the host's that no container must reach. Returns what asserts that it was left alone. */
function outside(s: Scene): { path: string; assertUntouched: () => void } {
  const path = s.path("outside");
  mkdirSync(path);
  writeFileSync(`${path}/canary`, "untouched");
  chmodSync(path, 0o777);
  return {
    path,
    assertUntouched() {
      assert.deepEqual(readdirSync(path), ["canary"]);
      assert.equal(readFileSync(`${path}/canary`, "utf8"), "untouched");
      assert.deepEqual(
        mountInfo().filter((line) => line.includes(path)),
        [],
      );
    },
  };
}

const bind = (destination: string, source: string) => ({ destination, source, type: "bind", options: ["bind"] });

/** Runs a container that may work or be refused, but must not leave the root file system. */
function attack(s: Scene, change: (config: FullConfig) => void): string {
  s.write((config) => {
    config.root.readonly = false;
    change(config);
  });
  const { stdout, stderr } = s.run();
  s.assertNothingLeft();
  return stdout + stderr;
}

asRoot(
  "CVE-2016-9962: a created init can be neither traced nor looked into from inside, and holds nothing of the host",
  (s) => {
    s.create("first").succeeds();
    const { pid } = s.stateOf("first");
    // A mount that is attached nowhere is none of the host's if its file system is none of them.
    const fields = (text: string, index: number) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[index]);
    const mounts = fields(readFileSync(`/proc/${pid}/mountinfo`, "utf8"), 0);
    const fileSystems = fields(mountInfo().join("\n"), 2);
    for (const fd of readdirSync(`/proc/${pid}/fd`).filter((name) => Number(name) > 2)) {
      const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
      if (/^(socket:|anon_inode:.fscontext)/.test(link)) continue;
      const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1];
      const { dev } = statSync(`/proc/${pid}/fd/${fd}`);
      const fileSystem = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
      assert.ok(mounts.includes(String(mount)) || !fileSystems.includes(fileSystem), `${fd} ${link}`);
    }
    const out = s.sh(
      "ls /proc/1/fd/3/ /proc/1/cwd/ 2>&1; cat /proc/1/environ 2>&1; for f in /proc/1/fd/* /proc/1/exe; do readlink $f; done; exit 0",
      (config) => {
        config.linux.cgroupsPath += "-second";
        config.process.capabilities = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"] };
        config.linux.namespaces = config.linux.namespaces.map((namespace) =>
          namespace.type === "pid" ? { type: "pid", path: `/proc/${pid}/ns/pid` } : namespace,
        );
      },
    );
    assert.match(out, /^ls: .*Permission denied\nls: .*Permission denied\ncat: .*Permission denied\n$/);
  },
);

system("CVE-2019-5736: what a container can see of its init's executable is sealed, and not the runtime", (s) => {
  s.create().succeeds();
  const exe = `/proc/${s.stateOf().pid}/exe`;
  assert.match(readlinkSync(exe), /^\/memfd:fdrunc-init/);
  assert.ok(readFileSync(exe).length < 64 * 1024);
  assert.throws(() => openSync(exe, "r+"), /ETXTBSY|EPERM/);
  const fd = openSync(exe, "r");
  const seals = C.F_SEAL_SEAL | C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_WRITE;
  assert.equal(sys("fcntl", fd, C.F_GET_SEALS) & seals, seals);
  sys("close", fd);
  s.fdrunc(["delete", "c"]).succeeds();
  const out = attack(s, ({ process }) => {
    process.args = ["/proc/self/exe"];
  });
  assert.doesNotMatch(out, /fdrunc version|Usage/);
  assert.equal(s.sh("readlink /proc/self/exe; ls -l /proc/[0-9]*/exe | grep -vc busybox; exit 0"), "/bin/busybox\n0\n");
});

system("CVE-2019-16884: nothing is mounted over /proc or into it but a few known files", (s) => {
  const { path, assertUntouched } = outside(s);
  for (const destination of [
    "/proc/self",
    "/proc/sys",
    "/proc/sys/kernel/core_pattern",
    "/./proc//self/attr",
    "/x/../proc/1",
  ]) {
    assert.match(
      attack(s, (config) => config.mounts.push(bind(destination, path))),
      /lies inside \/proc/,
      destination,
    );
    assert.match(
      attack(s, (config) => config.mounts.push({ destination, type: "tmpfs" })),
      /lies inside \/proc/,
    );
  }
  assert.match(
    attack(s, (config) => config.mounts.push(bind("/proc", path))),
    /mounts\[7\]: .* \(EPERM\)/,
  );
  writeFileSync(s.path("uptime"), "1.00 1.00\n");
  const uptime = s.sh("cat /proc/uptime", (config) => config.mounts.push(bind("/proc/uptime", s.path("uptime"))));
  assert.equal(uptime, "1.00 1.00\n");
  assertUntouched();
});

// An ordinary user's /sys is a bind of the host's, and goes where the link leads inside the root.
for (const [name, directory, by] of [
  ["CVE-2019-19921", "proc", system],
  ["CVE-2023-27561, CVE-2023-28642", "sys", asRoot],
] as const) {
  by(`${name}: an image whose /${directory} is a symbolic link is refused`, (s) => {
    mkdirSync(`${s.rootfs}/elsewhere`);
    for (const target of ["/elsewhere", "elsewhere", "/tmp", "../../../outside"]) {
      symlinkSync(target, `${s.rootfs}/${directory}`);
      assert.match(
        attack(s, () => {}),
        new RegExp(`mount ${directory}(fs)? on "/${directory}" .*\\(ELOOP\\)`),
        target,
      );
      rmSync(`${s.rootfs}/${directory}`);
    }
  });
}

system("CVE-2021-30465, CVE-2019-18837: destinations that lead through links stay inside the root", (s) => {
  const { path, assertUntouched } = outside(s);
  const deep = "../".repeat(20);
  symlinkSync(path, `${s.rootfs}/absolute`);
  symlinkSync(`${deep}${path}`, `${s.rootfs}/relative`);
  symlinkSync("/", `${s.rootfs}/root`);
  symlinkSync("..", `${s.rootfs}/up`);
  symlinkSync("/proc/1/root", `${s.rootfs}/magic`);
  mkdirSync(s.path("source"));
  writeFileSync(s.path("source/file"), "x");
  for (const start of ["absolute", "relative", `root${path}`, `up${path}`, `up/up/${deep}${path}`, `magic${path}`])
    for (const end of ["", "/new", "/new/deeper"]) {
      const destination = `/${start}${end}`;
      attack(s, (config) => config.mounts.push(bind(destination, s.path("source"))));
      assertUntouched();
      if (FORM === "node") continue;
      attack(s, (config) => config.mounts.push(bind(`${destination}/file`, s.path("source/file"))));
      attack(s, (config) => config.mounts.push({ destination, type: "tmpfs", options: ["tmpcopyup"] }));
      assertUntouched();
    }
  rmSync(`${s.rootfs}${path}`, { recursive: true, force: true });
});

system(
  "CVE-2021-30465, CVE-2024-45310: a destination that becomes a link while it is used leads nowhere else",
  async (s) => {
    const { path, assertUntouched } = outside(s);
    mkdirSync(`${s.rootfs}/race/directory`, { recursive: true });
    symlinkSync(path, `${s.rootfs}/race/link`);
    const racer = s.spawn([
      "sh",
      "-c",
      `cd ${s.rootfs}/race; while :; do mv -T directory x; mv -T link directory; mv -T directory link; mv -T x directory; done`,
    ]);
    for (let i = 0; i < (FORM === "node" ? 8 : 60); i++)
      attackWhile(s, (config) => {
        config.mounts.push(
          { destination: "/race/directory/below/it", type: "tmpfs" },
          bind("/race/directory/file", "/etc/hostname"),
        );
        config.linux.devices = [{ type: "c", path: "/race/directory/null", major: 1, minor: 3 }];
      });
    racer.child.kill("SIGKILL");
    await racer.ended;
    assertUntouched();
  },
);

/** Like `attack`, with processes of the test's own still running. */
function attackWhile(s: Scene, change: (config: FullConfig) => void): void {
  s.write((config) => {
    config.root.readonly = false;
    change(config);
  });
  s.run();
}

asRoot("CVE-2021-43784: long strings in a config stay what they are, and change nothing else", (s) => {
  const long = "x".repeat(0x1fff0);
  const out = s.sh("env | grep ^LONG= | wc -c; readlink /proc/self/ns/net", (config) => {
    config.process.env.push(`LONG=${long}`);
    config.annotations = { "org.example.long": long.repeat(4) };
  });
  const [length, network] = out.trimEnd().split("\n");
  assert.equal(Number(length), "LONG=\n".length + long.length);
  assert.notEqual(network, readlinkSync("/proc/self/ns/net"));
});

system(
  "CVE-2022-29162: a container's inheritable capabilities are those that its config names, by default none",
  (s) => {
    assert.equal(s.sh("grep CapInh /proc/self/status"), "CapInh:\t0000000000000000\n");
  },
);

asRoot("CVE-2023-25809: the host's cgroups cannot be written to from a container without cgroup namespace", (s) => {
  chownSync(s.rootfs, 100_000, 100_000);
  for (const own of [false, true]) {
    s.write((config) => {
      config.process.args = [
        "sh",
        "-c",
        "cd /sys/fs/cgroup; for d in . */; do mkdir $d/made && echo made; echo 1 > $d/cgroup.procs && echo moved; done; exit 0",
      ];
      if (!own) return;
      const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = maps;
      config.linux.gidMappings = maps;
    });
    const { status, stdout } = s.run();
    assert.deepEqual([status, stdout], [0, ""]);
  }
});

system("CVE-2024-21626: no directory of the host's is open, so none can be the working directory", (s) => {
  const { assertUntouched } = outside(s);
  for (let fd = 0; fd < 20; fd++) {
    if (FORM === "node" && fd % 4 !== 3) continue;
    const out = attack(s, ({ process }) => {
      process.args = ["sh", "-c", "pwd -P; ls ../../../../../../../tmp"];
      process.cwd = `/proc/self/fd/${fd}`;
    });
    assert.match(out, /^fdrunc: process\.cwd: .*\n$/, process.cwd());
  }
  symlinkSync("/proc/self/fd/7", `${s.rootfs}/link`);
  assert.match(
    attack(s, ({ process }) => void Object.assign(process, { cwd: "/link/../.." })),
    /^(fdrunc: process\.cwd: .*\n)?$/,
  );
  assertUntouched();
});

system("CVE-2024-21626: a directory that the caller left open is not open in the container", (s) => {
  const { path } = outside(s);
  const fd = openSync(path, "r");
  const stdio = ["ignore", undefined, undefined, fd, fd] as number[];
  s.write(({ process }) => {
    process.args = ["sh", "-c", "ls /proc/self/fd; ls /proc/self/fd/3/"];
  });
  const { stdout } = s.fdrunc(["run", "c"], { stdio });
  assert.doesNotMatch(stdout, /canary/);
  s.write(({ process }) => {
    process.cwd = "/proc/self/fd/3";
  });
  assert.match(s.fdrunc(["run", "c"], { stdio }).fails(), /^process\.cwd: /);
  // Even where the container is to keep it, it is no place to be in.
  assert.match(s.fdrunc(["run", "--preserve-fds", "2", "c"], { stdio }).fails(), /^process\.cwd: /);
  sys("close", fd);
});

system("CVE-2024-45310: nothing is created outside of the root for a destination that is missing", (s) => {
  const { path, assertUntouched } = outside(s);
  symlinkSync(`${path}/absent`, `${s.rootfs}/dangling`);
  symlinkSync(path, `${s.rootfs}/directory`);
  for (const destination of ["/dangling", "/dangling/x", "/directory/x", "/directory/x/y"]) {
    attack(s, (config) => config.mounts.push(bind(destination, "/etc/hostname")));
    attack(s, (config) => config.mounts.push({ destination, type: "tmpfs" }));
    assertUntouched();
  }
  attack(s, ({ process }) => void Object.assign(process, { cwd: "/directory/made" }));
  assertUntouched();
});

asRoot("CVE-2025-31133: paths are masked with the real /dev/null or the container is refused", (s) => {
  const { path, assertUntouched } = outside(s);
  const dev = s.path("dev");
  for (const make of [
    () => symlinkSync(`${path}/canary`, `${dev}/null`),
    () => symlinkSync("/proc/sys/kernel/core_pattern", `${dev}/null`),
    () => writeFileSync(`${dev}/null`, "mine"),
    () => assert.equal(spawnSync("mknod", [`${dev}/null`, "c", "1", "5"]).status, 0),
    () => assert.equal(spawnSync("mknod", [`${dev}/null`, "p"]).status, 0),
  ]) {
    mkdirSync(dev, { recursive: true });
    make();
    const out = attack(s, (config) => {
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
      config.mounts.push(bind("/dev", dev));
      config.process.args = ["cat", "/proc/keys"];
    });
    assert.match(out, /^fdrunc: linux\.maskedPaths: open "\/dev\/null" to mask files with .*\(ENODEV|ELOOP\)/);
    rmSync(dev, { recursive: true });
  }
  // In the image itself it is covered by the default tmpfs; without that it must be the device.
  writeFileSync(`${s.rootfs}/dev/null`, "mine");
  const out = attack(s, (config) => {
    config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
  });
  assert.match(out, /make device "\/dev\/null" .*\(EEXIST\)/);
  assertUntouched();
});

asRoot("CVE-2025-52565: /dev/console is the terminal's own other end, whatever the image has in its place", (s) => {
  const { path, assertUntouched } = outside(s);
  const dev = s.path("dev");
  mkdirSync(`${dev}/pts`, { recursive: true });
  symlinkSync(`${path}/canary`, `${dev}/console`);
  for (const name of ["null", "zero", "full", "random", "urandom", "tty"]) spawnSync("cp", ["-a", `/dev/${name}`, dev]);
  s.write((config) => {
    config.process.terminal = true;
    config.process.args = ["sh", "-c", "stat -c %t:%T /dev/console; echo written > /dev/console"];
    config.mounts = config.mounts.filter(
      ({ destination }) => destination !== "/dev" && !/shm|mqueue/.test(destination),
    );
    config.mounts.splice(1, 0, bind("/dev", dev));
  });
  assert.equal(s.run().stdout, "88:0\r\nwritten\r\n");
  assertUntouched();
  // A /dev/pts that is none gives no terminal.
  s.write((config) => {
    config.process.terminal = true;
    config.mounts = config.mounts.map((mount) =>
      mount.destination === "/dev/pts" ? { destination: "/dev/pts", type: "tmpfs", options: [] } : mount,
    );
  });
  assert.match(s.run().fails(), /open a terminal .*\(is a devpts mounted on "\/dev\/pts"\?\)$/);
});

asRoot("CVE-2025-52881: kernel parameters go through a procfs of fdrunc's own", (s) => {
  const { path, assertUntouched } = outside(s);
  mkdirSync(`${path}/sys/net/ipv4`, { recursive: true });
  const before = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8");
  const out = attack(s, (config) => {
    // No /proc of the container's: the image has what looks like one.
    config.mounts = config.mounts.filter(({ type }) => type !== "proc");
    config.linux.maskedPaths = [];
    config.linux.readonlyPaths = [];
    config.linux.sysctl = { "net.ipv4.ip_forward": "1" };
    mkdirSync(`${s.rootfs}/proc/sys/net/ipv4`, { recursive: true });
    symlinkSync("/fake", `${s.rootfs}/proc/sys/net/ipv4/ip_forward`);
    writeFileSync(`${s.rootfs}/fake`, "");
  });
  assert.equal(out, "");
  assert.equal(readFileSync(`${s.rootfs}/fake`, "utf8"), "");
  assert.equal(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8"), before);
  rmSync(`${path}/sys`, { recursive: true });
  assertUntouched();
});

system("CVE-2026-41579, CVE-2026-47766: devices of an image whose /dev is a link are made inside the root", (s) => {
  const { path, assertUntouched } = outside(s);
  for (const target of [path, `${"../".repeat(20)}${path}`, "/proc/1/root"]) {
    symlinkSync(target, `${s.rootfs}/dev`);
    attack(s, () => {});
    assertUntouched();
    attack(s, (config) => {
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
      config.linux.devices = [
        { type: "c", path: "/dev/made", major: 1, minor: 3 },
        { type: "c", path: "/dev/below/made", major: 1, minor: 3 },
      ];
    });
    assertUntouched();
    rmSync(`${s.rootfs}/dev`);
  }
});

system("ids and cgroup paths that would lead elsewhere are refused", (s, t) => {
  for (const id of ["../c", "a/../../c", "..", "."]) assert.match(s.create(id).fails(), /^container id /);
  if (SYSTEMD) return t.skip("needs cgroupfs as the manager, for the paths");
  for (const path of ["/../c", "../../c", "/a/../../c"]) {
    s.write(({ linux }) => {
      linux.cgroupsPath = path;
    });
    assert.match(s.create().fails(), /linux\.cgroupsPath: must not contain "\.\."/);
  }
  assert.equal(existsSync(s.path("c")), false);
  s.assertNothingLeft();
});

system("a state directory of somebody else's making is not followed", (s) => {
  const { path, assertUntouched } = outside(s);
  mkdirSync(s.state, { recursive: true });
  symlinkSync(path, `${s.state}/c`);
  assert.match(s.create().fails(), /already exists/);
  assert.match(s.fdrunc(["delete", "--force", "c"]).fails(), /ELOOP|ENOTDIR/);
  assertUntouched();
  rmSync(`${s.state}/c`);
});
