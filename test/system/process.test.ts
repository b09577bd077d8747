import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { SeccompAction } from "../../src/generated/config.js";
import { CAPABILITIES, capabilityMask } from "../../src/linux/capabilities.js";
import { asRoot, type Result, system, TAG, withIds } from "./harness.js";

/** The fields of a /proc/PID/status. */
const fields = (status: string): Record<string, string> =>
  Object.fromEntries(
    status
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/:\s*/, 2) as [string, string]),
  );

const hex = (names: readonly string[]): string => capabilityMask(names).toString(16).padStart(16, "0");

/** The capabilities of this process. */
const own = fields(readFileSync("/proc/self/status", "utf8")).CapPrm;

withIds("capability sets are those of the config", (s) => {
  const [net, kill, mknod] = ["CAP_NET_RAW", "CAP_KILL", "CAP_MKNOD"];
  const status = fields(
    s.sh("cat /proc/self/status", ({ process }) => {
      process.capabilities = {
        bounding: [net, kill, mknod],
        permitted: [net, kill],
        effective: [kill],
        inheritable: [net],
        ambient: [net],
      };
      process.user = { uid: 1000, gid: 1000 };
      process.noNewPrivileges = false;
    }),
  );
  assert.equal(status.CapBnd, hex([net, kill, mknod]));
  assert.equal(status.CapInh, hex([net]));
  assert.equal(status.CapAmb, hex([net]));
  // Of an ordinary user's sets only the ambient ones outlive an execve: of init's, and of the shell's.
  assert.equal(status.CapPrm, hex([net]));
  assert.equal(status.CapEff, hex([net]));
});

system("root's program has what the bounding and permitted sets leave; without any capabilities, none", (s) => {
  const some = fields(s.sh("cat /proc/self/status"));
  const default_ = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  for (const set of ["CapBnd", "CapPrm", "CapEff"]) assert.equal(some[set], hex(default_), set);
  for (const set of ["CapInh", "CapAmb"]) assert.equal(some[set], hex([]), set);
  const none = fields(
    s.sh("cat /proc/self/status", ({ process }) => {
      process.capabilities = undefined as never;
    }),
  );
  for (const set of ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"]) assert.equal(none[set], hex([]), set);
});

asRoot("the effective capabilities are those that the program is executed with", (s) => {
  mkdirSync(`${s.rootfs}/private`);
  symlinkSync("/bin/busybox", `${s.rootfs}/private/true`);
  chownSync(`${s.rootfs}/private`, 1000, 1000);
  chmodSync(`${s.rootfs}/private`, 0o700);
  const reach = ["CAP_DAC_OVERRIDE"];
  const run = (effective: string[]) => {
    s.write(({ process }) => {
      process.args = ["/private/true"];
      process.capabilities = { bounding: reach, permitted: reach, effective };
    });
    return s.run();
  };
  run(reach).succeeds();
  assert.match(run([]).fails(), /^process\.args\[0\]: exec "\/private\/true".*: permission denied/);
});

asRoot("each capability is granted; one that the host does not grant, or does not know, is left out", (s) => {
  const all = [...CAPABILITIES, "CAP_FUTURE"];
  const mask = BigInt(`0x${own}`);
  const left = all.filter((name) => (capabilityMask([name]) & mask) === 0n);
  s.write(({ process }) => {
    process.args = ["cat", "/proc/self/status"];
    process.capabilities = { bounding: all, permitted: all, effective: all };
  });
  const { status, stdout, stderr } = s.run();
  assert.equal(status, 0);
  assert.match(stderr, /^fdrunc: warning: process\.capabilities: unknown or not .* left out: [A-Z_, ]+\n$/);
  assert.deepEqual(stderr.match(/CAP_[A-Z_]+/g)?.toSorted(), left.toSorted());
  const seen = fields(stdout);
  for (const set of ["CapBnd", "CapPrm", "CapEff"]) assert.equal(seen[set], own, set);
});

asRoot("user, group, supplementary groups, umask, no_new_privs", (s) => {
  const script = "cat /proc/self/status; umask; id -u; id -g";
  const status = s.sh(script, ({ process }) => {
    process.user = { uid: 1234, gid: 2345, additionalGids: [5, 4294967294], umask: 0o27 };
    process.noNewPrivileges = true;
  });
  const { Uid, Gid, Groups, NoNewPrivs } = fields(status);
  assert.equal(Uid, "1234\t1234\t1234\t1234");
  assert.equal(Gid, "2345\t2345\t2345\t2345");
  assert.equal(Groups.trim(), "5 4294967294");
  assert.equal(NoNewPrivs, "1");
  assert.match(status, /\n0027\n1234\n2345\n$/);
  const without = s.sh(script, ({ process }) => {
    process.user = {};
    process.noNewPrivileges = false;
  });
  assert.equal(fields(without).Groups.trim(), "");
  assert.equal(fields(without).NoNewPrivs, "0");
});

system("without umask in the config, the caller's stays", (s) => {
  s.write(({ process }) => {
    process.args = ["sh", "-c", "umask"];
  });
  assert.equal(s.fdrunc(["run", "c"], { under: ["sh", "-c", 'umask 037; exec "$0" "$@"'] }).succeeds(), "0037\n");
});

withIds("limits are set, also those without end", (s) => {
  const limits = s.sh("cat /proc/self/limits", ({ process }) => {
    process.user = { uid: 99, gid: 99 };
    process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 17, hard: 18 },
      { type: "RLIMIT_CORE", soft: 0, hard: 4096 },
      { type: "RLIMIT_FSIZE", soft: 12345678901, hard: 18446744073709551615n },
      { type: "RLIMIT_STACK", soft: 18446744073709551615n, hard: 18446744073709551615n },
    ];
  });
  const limit = (name: string) => new RegExp(`^${name} +(\\S+) +(\\S+)`, "m").exec(limits)?.slice(1);
  assert.deepEqual(limit("Max open files"), ["17", "18"]);
  assert.deepEqual(limit("Max core file size"), ["0", "4096"]);
  assert.deepEqual(limit("Max file size"), ["12345678901", "unlimited"]);
  assert.deepEqual(limit("Max stack size"), ["unlimited", "unlimited"]);
});

system("oom_score_adj is set; unset it stays the caller's", (s) => {
  // Ordinary users may only raise the score that they have.
  const own = Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
  const out = s.sh("cat /proc/self/oom_score_adj", ({ process }) => {
    process.oomScoreAdj = own + 321;
  });
  assert.equal(out, `${own + 321}\n`);
  s.write(({ process }) => {
    process.args = ["cat", "/proc/self/oom_score_adj"];
  });
  const under = ["sh", "-c", `echo ${own + 123} > /proc/self/oom_score_adj; exec "$0" "$@"`];
  assert.equal(s.fdrunc(["run", "c"], { under }).succeeds(), `${own + 123}\n`);
});

system("environment, arguments and working directory arrive as they are", (s) => {
  const script = 'for a; do echo "[$a]"; done; pwd; env';
  s.write(({ process }) => {
    process.args = ["sh", "-c", script, "sh", "", "a b", "ä\n*"];
    process.cwd = "/made/by/fdrunc";
    process.env = ["PATH=/bin", "A=", "B=x=y z", "TERM=x", "A=again"];
  });
  const [empty, spaces, line1, line2, cwd, ...env] = s.run().succeeds().trimEnd().split("\n");
  assert.deepEqual([empty, spaces, line1, line2, cwd], ["[]", "[a b]", "[ä", "*]", "/made/by/fdrunc"]);
  const own = env.filter((entry) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(entry)).toSorted();
  // A shell keeps the last of two; HOME is added.
  assert.deepEqual(own, ["A=again", "B=x=y z", "HOME=/", "PATH=/bin", "TERM=x"]);
});

withIds("HOME comes from the image's passwd if the environment has none", (s) => {
  mkdirSync(`${s.rootfs}/etc`);
  writeFileSync(`${s.rootfs}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\nother:x:77:77::/home/other:/bin/sh\n");
  const home = (uid: number, ...env: string[]) =>
    s.sh("echo $HOME", ({ process }) => {
      process.user = { uid };
      process.env.push(...env);
    });
  assert.equal(home(77), "/home/other\n");
  assert.equal(home(78), "/\n");
  assert.equal(home(77, "HOME=/elsewhere"), "/elsewhere\n");
});

system("PATH of the container's environment finds the program", (s) => {
  mkdirSync(`${s.rootfs}/first`);
  mkdirSync(`${s.rootfs}/second`);
  writeFileSync(`${s.rootfs}/first/tool`, "", { mode: 0o644 });
  writeFileSync(`${s.rootfs}/second/tool`, "#!/bin/sh\necho second\n", { mode: 0o755 });
  s.write(({ process }) => {
    process.args = ["tool"];
    process.env = ["PATH=/absent:/first:/second", "HOME=/"];
  });
  assert.equal(s.run().succeeds(), "second\n");
});

asRoot("a program that only its user may execute is found as that user", (s) => {
  mkdirSync(`${s.rootfs}/private`, { mode: 0o755 });
  writeFileSync(`${s.rootfs}/private/tool`, "#!/bin/sh\npwd\n", { mode: 0o555 });
  s.write(({ process }) => {
    process.args = ["/private/tool"];
    process.user = { uid: 55, gid: 55 };
    process.cwd = "/private";
  });
  chownSync(`${s.rootfs}/private`, 55, 55);
  chmodSync(`${s.rootfs}/private`, 0o700);
  assert.equal(s.run().succeeds(), "/private\n");
});

system("nothing but the standard streams is open in the container, and --preserve-fds keeps more", (s) => {
  writeFileSync(s.path("extra"), "read by the container\n");
  const extra = [openSync(s.path("extra"), "r"), openSync("/dev/null", "r")];
  try {
    s.write(({ process }) => {
      process.args = ["sh", "-c", "ls /proc/self/fd; cat <&3"];
    });
    const stdio = ["ignore", undefined, undefined, ...extra] as number[];
    const closed = s.fdrunc(["run", "c"], { stdio });
    // The shell opens nothing; the list's own directory is the last.
    assert.equal(closed.stdout, "0\n1\n2\n3\n");
    assert.match(closed.stderr, /bad file descriptor|Bad file descriptor/);
    const kept = s.fdrunc(["run", "--preserve-fds", "2", "c"], { stdio });
    assert.equal(kept.stdout, "0\n1\n2\n3\n4\n5\nread by the container\n");
  } finally {
    for (const fd of extra) closeSync(fd);
  }
});

system("closed standard streams become /dev/null, here and in the container", (s) => {
  s.write(({ process, root }) => {
    root.readonly = false;
    process.args = ["sh", "-c", "for f in 0 1 2; do readlink /proc/self/fd/$f; done > /streams"];
  });
  for (const closing of ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]) {
    const result = s.fdrunc(["run", "c"], { under: ["sh", "-c", `exec "$0" "$@" ${closing}`] });
    assert.equal(result.status, 0, closing);
    const [stdin, , stderr] = readFileSync(`${s.rootfs}/streams`, "utf8").split("\n");
    assert.equal(stdin, "/dev/null", closing);
    if (closing.includes("2")) assert.equal(stderr, "/dev/null", closing);
  }
});

asRoot("standard streams belong to the container's user, who can open them again", (s) => {
  const result = s.sh(
    "echo one > /dev/stdout; echo two > /proc/self/fd/1; stat -L -c %u /proc/self/fd/1",
    ({ process }) => {
      process.user = { uid: 777, gid: 777 };
    },
  );
  assert.equal(result.trimEnd().split("\n").at(-1), "777");
});

system("no signal is ignored or blocked, whatever the caller or the engine ignores", (s) => {
  s.write(({ process }) => {
    process.args = ["cat", "/proc/self/status"];
  });
  // Other shells do not ignore the ends of children, whatever they are told.
  const under = ["bash", "-c", 'trap "" USR2 CHLD; exec "$0" "$@"'];
  const none = (result: Result) => {
    const { SigIgn, SigBlk } = fields(result.succeeds());
    assert.deepEqual([SigIgn, SigBlk], ["0000000000000000", "0000000000000000"]);
  };
  none(s.fdrunc(["run", "c"], { under }));
  s.create().succeeds();
  none(s.fdrunc(["exec", "c", "cat", "/proc/self/status"], { under }));
});

system("the program leads a session of its own, without terminal", (s) => {
  const [, , , , group, session, terminal] = s.sh("cat /proc/self/stat").split(" ");
  assert.deepEqual([group, session, terminal], ["1", "1", "0"]);
});

system("seccomp: an errno, a kill and what is allowed", (s) => {
  const filtered = (action: SeccompAction, errnoRet?: number) =>
    s.write(({ process, linux }) => {
      process.args = ["sh", "-c", "mkdir /tmp/x; echo $?"];
      process.noNewPrivileges = false;
      linux.seccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action, ...(errnoRet !== undefined && { errnoRet }) }],
      };
    });
  filtered("SCMP_ACT_ERRNO", 13);
  const denied = s.run();
  assert.deepEqual([denied.status, denied.stdout], [0, "1\n"]);
  assert.match(denied.stderr, /[Pp]ermission denied/);
  filtered("SCMP_ACT_ERRNO", 95);
  assert.match(s.run().stderr, /not supported/);
  filtered("SCMP_ACT_KILL_PROCESS");
  assert.match(s.run().stdout, /^159\n$/);
});

withIds("seccomp without no_new_privs leaves the config's capabilities, not the one that loading takes", (s) => {
  for (const noNewPrivileges of [false, true]) {
    const status = fields(
      s.sh("cat /proc/self/status", ({ process, linux }) => {
        process.noNewPrivileges = noNewPrivileges;
        process.user = { uid: 31, gid: 31 };
        linux.seccomp = {
          defaultAction: "SCMP_ACT_ALLOW",
          syscalls: [{ names: ["chroot"], action: "SCMP_ACT_ERRNO" }],
        };
      }),
    );
    assert.equal(status.Seccomp, "2");
    assert.equal(status.NoNewPrivs, noNewPrivileges ? "1" : "0");
    assert.equal(status.CapBnd, hex(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]));
    assert.equal(status.CapEff, hex([]));
    assert.equal(status.CapPrm, hex([]));
  }
});

system("a session keyring is made, or the caller's kept", (s) => {
  s.write(({ process, linux }) => {
    process.args = ["cat", "/proc/keys"];
    linux.maskedPaths = [];
  });
  // Those of ended sessions are listed until they are collected: hence names that were never used.
  assert.match(s.run(`${TAG}-new`).succeeds(), new RegExp(`_ses\\.${TAG}-new`));
  assert.doesNotMatch(s.run(`${TAG}-old`, "--no-new-keyring").succeeds(), new RegExp(`_ses\\.${TAG}-old`));
});

asRoot("a program of the host's namespaces and of no confinement at all", (s) => {
  s.write((config) => {
    config.hostname = "";
    config.mounts = [];
    config.root.readonly = false;
    config.linux = {
      namespaces: [],
      resources: {},
      maskedPaths: [],
      readonlyPaths: [],
      cgroupsPath: config.linux.cgroupsPath as string,
    };
    config.process.args = ["sh", "-c", "pwd; ls /bin/busybox"];
  });
  assert.equal(s.run().succeeds(), "/\n/bin/busybox\n");
});
