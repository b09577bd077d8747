import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import type { Hook, Hooks } from "../../src/generated/config.js";
import { entries, eventually, type FullConfig, type Scene, system, withCgroups, withIds } from "./harness.js";

type Kind = keyof Hooks & string;

/** The kinds of hooks in the order in which they run, and where: in the runtime's namespaces or the container's. */
const KINDS: readonly Kind[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

const shell = (script: string, more: Partial<Hook> = {}): Hook => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...more,
});

/** A config whose hooks, all or some, write to the scene's directory `out`, also where that is seen at /out. */
function record(s: Scene, config: FullConfig, script: (kind: Kind) => string, kinds = KINDS): void {
  mkdirSync(s.path("out"), { recursive: true });
  config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
  config.hooks = Object.fromEntries(
    kinds.map((kind) => {
      const out = kind === "startContainer" ? "/out" : s.path("out");
      return [kind, [shell(`cd ${out}; ${script(kind)}`)]];
    }),
  );
}

const read = (s: Scene, name: string): string => readFileSync(s.path("out", name), "utf8");
const exists = (s: Scene, name: string): boolean => existsSync(s.path("out", name));

const NAMESPACES = ["mnt", "uts", "ipc", "net", "pid", "cgroup"];

system("hooks run in order, each in its namespaces, with the state on standard input", (s) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "echo program >> /out/order"];
    config.linux.namespaces.push({ type: "cgroup" });
    record(s, config, (kind) => {
      const links = NAMESPACES.map((name) => `readlink /proc/self/ns/${name}`).join("; ");
      return `echo ${kind} >> order; cat > state.${kind}; (${links}) > namespaces.${kind}; readlink /proc/self/root > root.${kind}`;
    });
  });
  s.create().succeeds();
  assert.equal(read(s, "order"), "prestart\ncreateRuntime\ncreateContainer\n");
  const pid = Number(s.stateOf().pid);
  const inside = NAMESPACES.map((name) => `${readlinkSync(`/proc/${pid}/ns/${name}`)}\n`).join("");
  const outside = NAMESPACES.map((name) => `${readlinkSync(`/proc/self/ns/${name}`)}\n`).join("");
  s.fdrunc(["start", "c"]).succeeds();
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  const order = read(s, "order").trim().split("\n");
  // The program runs while the poststart hook does.
  assert.deepEqual(order.toSorted(), [...KINDS, "program"].toSorted());
  assert.deepEqual(
    order.filter((name) => name !== "program"),
    KINDS,
  );
  assert.ok(order.indexOf("startContainer") < order.indexOf("program"));

  for (const kind of KINDS) {
    const isInside = kind === "createContainer" || kind === "startContainer";
    assert.equal(read(s, `namespaces.${kind}`), isInside ? inside : outside, kind);
    const status =
      {
        startContainer: "created",
        poststart: "running",
        poststop: "stopped",
      }[kind as string] ?? "creating";
    const told = { poststop: 0, createContainer: 1, startContainer: 1 }[kind as string] ?? pid;
    const { annotations, ...state } = JSON.parse(read(s, `state.${kind}`));
    assert.equal(annotations, undefined);
    assert.deepEqual(state, { ociVersion: s.config.ociVersion, id: "c", status, pid: told, bundle: s.bundle }, kind);
  }
});

system("createContainer hooks see the container's mounts before its root is changed", (s) => {
  s.write((config) => {
    record(s, config, () => `grep -c ' ${s.rootfs}/proc ' /proc/self/mountinfo > mounted; ls ${s.rootfs} > files`, [
      "createContainer",
    ]);
  });
  s.run().succeeds();
  assert.equal(read(s, "mounted"), "1\n");
  assert.match(read(s, "files"), /^bin$/m);
});

withIds("startContainer hooks come from the image and are confined as the program is", (s) => {
  mkdirSync(s.path("out"));
  writeFileSync(
    `${s.rootfs}/hook`,
    "#!/bin/sh\ngrep -E '^(Cap|NoNewPrivs|Uid|Groups)' /proc/self/status > /out/hook; pwd > /out/cwd\n",
    {
      mode: 0o755,
    },
  );
  s.write((config) => {
    config.process.args = ["sh", "-c", "grep -E '^(Cap|NoNewPrivs|Uid|Groups)' /proc/self/status > /out/program"];
    config.process.user = { uid: 7, gid: 8, additionalGids: [9] };
    config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
    config.hooks = { startContainer: [{ path: "/hook" }] };
  });
  chmodSync(s.path("out"), 0o777);
  s.run().succeeds();
  assert.equal(read(s, "hook"), read(s, "program"));
  assert.equal(read(s, "cwd"), "/\n");
});

withCgroups("startContainer hooks run in the container's cgroups", (s) => {
  mkdirSync(s.path("out"));
  writeFileSync(`${s.rootfs}/hook`, "#!/bin/sh\ncat /proc/self/cgroup > /out/hook\n", { mode: 0o755 });
  s.write((config) => {
    config.process.args = ["sh", "-c", "cat /proc/self/cgroup > /out/program"];
    config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
    config.hooks = { startContainer: [{ path: "/hook" }] };
  });
  s.run().succeeds();
  assert.match(read(s, "hook"), /\bc(\.scope)?$/m);
  assert.equal(read(s, "hook"), read(s, "program"));
});

system("a signal ends a run that waits for a hook, and the hook", async (s) => {
  for (const kind of ["createRuntime", "poststart"] as const) {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
      config.hooks = { [kind]: [{ path: "/bin/sh", args: ["sh", "-c", `touch ${s.path(kind)}; exec sleep 1000`] }] };
    });
    const { child, ended } = s.start(["run", "c"]);
    eventually(() => assert.ok(existsSync(s.path(kind))));
    child.kill("SIGTERM");
    assert.match((await ended).fails(), new RegExp(`^hooks\\.${kind}\\[0\\]: "/bin/sh": ended, as signal 15 came`));
    s.assertNothingLeft();
  }
});

system("a hook has the arguments and the environment that the config gives it, and nothing else", (s) => {
  mkdirSync(s.path("out"));
  s.write((config) => {
    config.hooks = {
      createRuntime: [
        shell(`(echo "$0" "$@"; env) > ${s.path("out/first")}; ls -l /proc/self/fd > ${s.path("out/fds")}`, {
          args: [
            "sh",
            "-c",
            `(echo "$0" "$@"; env) > ${s.path("out/first")}; ls /proc/self/fd > ${s.path("out/fds")}`,
            "name",
            "a b",
            "",
          ],
          env: ["A=1", "B=x y"],
        }),
        { path: "/bin/sh", args: ["sh", "-c", `env > ${s.path("out/second")}`] },
      ],
    };
  });
  s.fdrunc(["run", "c"], { env: { FDRUNC_TEST_VARIABLE: "1" } }).succeeds();
  const [told, ...environment] = read(s, "first").trimEnd().split("\n");
  assert.equal(told, "name a b ");
  assert.deepEqual(environment.filter((entry) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(entry)).toSorted(), ["A=1", "B=x y"]);
  assert.deepEqual(
    read(s, "second")
      .trimEnd()
      .split("\n")
      .filter((entry) => entry !== "" && !/^(PWD|SHLVL|_|OLDPWD)=/.test(entry)),
    [],
  );
  // The list's own directory is the last.
  assert.equal(read(s, "fds"), "0\n1\n2\n3\n");
});

system("each kind of hook has a program, arguments, an environment and a time", (s) => {
  mkdirSync(s.path("out"));
  const script = (kind: Kind) => `echo $0 $KIND > ${kind === "startContainer" ? "/out" : s.path("out")}/${kind}`;
  const hook = (kind: Kind): Hook => ({
    path: "/bin/sh",
    args: ["sh", "-c", script(kind), `as-${kind}`],
    env: ["PATH=/bin", `KIND=${kind}`],
  });
  s.write((config) => {
    config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
    config.hooks = Object.fromEntries(KINDS.map((kind) => [kind, [hook(kind)]]));
  });
  s.run().succeeds();
  for (const kind of KINDS) assert.equal(read(s, kind), `as-${kind} ${kind}\n`);
  for (const kind of KINDS) {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
      config.hooks = { [kind]: [{ path: "/bin/sleep", args: ["sleep", "4"], timeout: 1 }] };
    });
    const results = [["create"], ["start"], ["kill", "--all"], ["delete", "--force"]].map(([command, ...flags]) =>
      s.fdrunc([command as string, ...flags, "c", ...(command === "kill" ? ["KILL"] : [])]),
    );
    const told = results.map(({ stderr }) => stderr).join("");
    assert.ok(
      told.includes(`hooks.${kind}[0]: "/bin/sleep": not done after 1 s, the hook's timeout`),
      `${kind}: ${told}`,
    );
    s.assertNothingLeft();
  }
});

system("a hook that fails ends the container, and the rest of its life is that of one deleted", (s) => {
  for (const kind of KINDS.filter((name) => name !== "poststop")) {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
      record(
        s,
        config,
        (name) => `echo ${name} >> order.${kind}; ${name === kind ? "echo no >&2; echo because >&2; exit 3" : ":"}`,
      );
    });
    const isLate = kind === "startContainer" || kind === "poststart";
    if (isLate) s.create().succeeds();
    const path = "/bin/sh";
    const failed = isLate ? s.fdrunc(["start", "c"]) : s.create();
    assert.equal(failed.fails(), `hooks.${kind}[0]: "${path}": exit status 3: because`);
    s.assertNothingLeft();
    const ran = KINDS.slice(0, KINDS.indexOf(kind) + 1);
    assert.deepEqual(read(s, `order.${kind}`).trim().split("\n"), [...ran, "poststop"], kind);
  }
});

system("a poststop hook that fails is told, and the rest run all the same", (s) => {
  mkdirSync(s.path("out"));
  s.write((config) => {
    config.hooks = { poststop: [shell("exit 4"), shell(`echo > ${s.path("out/second")}`)] };
  });
  const { status, stderr } = s.run();
  assert.deepEqual([status, stderr], [0, 'fdrunc: warning: hooks.poststop[0]: "/bin/sh": exit status 4\n']);
  assert.ok(exists(s, "second"));
  s.assertNothingLeft();
});

system("a hook that cannot be executed, is killed, or takes too long", (s) => {
  writeFileSync(s.path("plain"), "");
  const cases: [kind: Kind, hook: Hook, message: RegExp][] = [
    [
      "prestart",
      { path: "/absent" },
      /^hooks\.prestart\[0\]: exec "\/absent": execve: no such file or directory \(ENOENT\)$/,
    ],
    ["createRuntime", { path: s.path("plain") }, /execve: permission denied \(EACCES\)$/],
    ["createContainer", shell("kill -9 $$"), /^hooks\.createContainer\[0\]: "\/bin\/sh": killed by signal 9$/],
    [
      "createRuntime",
      shell("sleep 1000 & sleep 1001", { timeout: 1 }),
      /^hooks\.createRuntime\[0\]: "\/bin\/sh": not done after 1 s, the hook's timeout$/,
    ],
  ];
  for (const [kind, hook, message] of cases) {
    s.write((config) => {
      config.hooks = { [kind]: [hook] };
    });
    assert.match(s.create().fails(), message);
    s.assertNothingLeft();
  }
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.hooks = { startContainer: [{ path: "/absent" }] };
  });
  s.create().succeeds();
  assert.match(s.fdrunc(["start", "c"]).fails(), /^hooks\.startContainer\[0\]: exec "\/absent": execve: .*\(ENOENT\)$/);
  s.assertNothingLeft();
});

system("poststop hooks run when create fails after init was started", (s) => {
  s.write((config) => {
    config.process.args = ["/absent"];
    record(s, config, (kind) => `echo ${kind} >> order`, ["createRuntime", "poststop"]);
  });
  s.create().fails();
  assert.equal(read(s, "order"), "createRuntime\npoststop\n");
  s.assertNothingLeft();
});

system("poststart hooks run once the program does, before start returns", (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    record(s, config, () => "sleep 0.1; cat /proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/cmdline > cmdline", [
      "poststart",
    ]);
  });
  s.create().succeeds();
  assert.deepEqual(entries(s.path("out")), []);
  s.fdrunc(["start", "c"]).succeeds();
  assert.equal(read(s, "cmdline"), "sleep\x001000\0");
});

system("a container is creating while its createRuntime hook runs; delete --force ends both", async (s) => {
  s.write((config) => {
    config.hooks = { createRuntime: [shell(`echo > ${s.path("waiting")}; sleep 1000`)] };
  });
  const { ended } = s.start(["create", "c"]);
  eventually(() => assert.ok(existsSync(s.path("waiting"))));
  assert.equal(s.status(), "creating");
  assert.equal(s.fdrunc(["start", "c"]).fails(), 'cannot start container "c": it has not been created completely');
  assert.match(s.fdrunc(["kill", "c"]).fails(), /^cannot kill container "c": .*creating/);
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  assert.equal(
    (await ended).fails(),
    'hooks.createRuntime[0]: "/bin/sh": not done when the container\'s init was killed',
  );
  s.assertNothingLeft();
});
