import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { validateState } from "../../src/generated/validate-state.js";
import { asRoot, eventually, type Scene, system, withCgroups } from "./harness.js";

const SLEEP = ["sleep", "1000"];

/** A container that was created and, if told so, started. */
function container(s: Scene, args = SLEEP, started = true, id = "c"): void {
  s.write((config) => {
    config.process.args = args;
  });
  s.create(id).succeeds();
  if (started) s.fdrunc(["start", id]).succeeds();
}

system("spec writes what runc's spec writes, but for the host name", (s, t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return t.skip("needs runc");
  for (const name of ["ours", "theirs"]) mkdirSync(s.path(name));
  s.fdrunc(["spec", "--bundle", s.path("ours")]).succeeds();
  assert.equal(spawnSync("runc", ["spec", "--bundle", s.path("theirs")]).status, 0);
  const [ours, theirs] = ["ours", "theirs"].map((name) =>
    JSON.parse(readFileSync(s.path(name, "config.json"), "utf8")),
  );
  assert.deepEqual(ours, { ...theirs, hostname: "fdrunc" });
});

system("spec leaves a config.json that is there", (s) => {
  const before = readFileSync(`${s.bundle}/config.json`, "utf8");
  assert.match(s.fdrunc(["spec", "-b", s.bundle]).fails(), /^"\/.*\/config\.json" exists/);
  assert.equal(readFileSync(`${s.bundle}/config.json`, "utf8"), before);
});

system("a container goes from creating to created, running and stopped, and is gone when deleted", (s) => {
  mkdirSync(`${s.rootfs}/seen`);
  s.write((config) => {
    config.process.args = SLEEP;
    config.annotations = { "org.example.key": "value" };
    const state = s.path("creating.json");
    config.hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", `cat > ${state}`] }] };
  });
  s.create().succeeds();
  const creating = JSON.parse(readFileSync(s.path("creating.json"), "utf8"));
  assert.equal(creating.status, "creating");
  const states = [creating];
  const see = (status: string) => {
    const state = s.stateOf();
    assert.equal(state.status, status);
    states.push(state);
    return state;
  };
  const { pid } = see("created");
  assert.deepEqual(Object.keys(states[1]), [
    "ociVersion",
    "id",
    "pid",
    "status",
    "bundle",
    "rootfs",
    "created",
    "annotations",
    "owner",
  ]);
  assert.match(readFileSync(`/proc/${pid}/cmdline`, "utf8"), /^fdrunc-init\0$/);
  s.fdrunc(["start", "c"]).succeeds();
  assert.equal(see("running").pid, pid);
  assert.equal(readFileSync(`/proc/${pid}/cmdline`, "utf8"), "sleep\x001000\0");
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  assert.equal(see("stopped").pid, 0);
  s.fdrunc(["delete", "c"]).succeeds();
  assert.equal(s.fdrunc(["state", "c"]).fails(), 'container "c" does not exist');
  s.assertNothingLeft();

  for (const state of states) {
    assert.ok(validateState(state), JSON.stringify(state));
    const { ociVersion, id, bundle, annotations } = state;
    assert.deepEqual(
      { ociVersion, id, bundle, annotations },
      { ociVersion: s.config.ociVersion, id: "c", bundle: s.bundle, annotations: { "org.example.key": "value" } },
    );
  }
});

asRoot("the moment of creation, the root file system and the owner are told as runc tells them", (s) => {
  const before = new Date();
  container(s, SLEEP, false);
  const { created, rootfs, owner } = s.stateOf();
  assert.match(String(created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  assert.ok(new Date(String(created)) >= before && new Date(String(created)) <= new Date());
  assert.equal(rootfs, s.rootfs);
  assert.equal(owner, "root");
});

system("what becomes of config.json after create has no effect", (s) => {
  mkdirSync(s.path("out"));
  const hook = (name: string) => [{ path: "/bin/sh", args: ["sh", "-c", `echo done > ${s.path("out", name)}`] }];
  s.write((config) => {
    config.process.args = ["echo", "first"];
    config.hooks = { poststart: hook("poststart"), poststop: hook("poststop") };
  });
  const created = s.create();
  created.succeeds();
  s.writeText("{ not even JSON");
  s.fdrunc(["start", "c"]).succeeds();
  s.waitFor("stopped");
  rmSync(`${s.bundle}/config.json`);
  s.fdrunc(["delete", "c"]).succeeds();
  assert.equal(created.stdout, "first\n");
  assert.deepEqual(readdirSync(s.path("out")), ["poststart", "poststop"]);
});

system("start, kill and delete refuse what their state forbids, and change nothing", (s) => {
  container(s);
  assert.equal(s.create().fails(), 'container "c" already exists (`fdrunc delete --force c` removes it)');
  assert.equal(
    s.fdrunc(["start", "c"]).fails(),
    'cannot start container "c": cannot start an already running container',
  );
  assert.match(s.fdrunc(["delete", "c"]).fails(), /^cannot delete container "c" that is not stopped: running \(/);
  assert.equal(s.status(), "running");
  s.fdrunc(["kill", "c", "9"]).succeeds();
  s.waitFor("stopped");
  assert.equal(
    s.fdrunc(["kill", "c"]).fails(),
    'cannot kill container "c": container not running (its status is stopped)',
  );
  assert.equal(
    s.fdrunc(["start", "c"]).fails(),
    'cannot start container "c": cannot start a container that has stopped',
  );
  assert.equal(s.status(), "stopped");
  for (const command of ["start", "kill", "delete", "state"])
    assert.equal(s.fdrunc([command, "absent"]).fails(), 'container "absent" does not exist');
});

system("a container without process is created and deleted, but not started", (s) => {
  s.write((config) => {
    config.process = undefined as never;
  });
  s.create().succeeds();
  assert.equal(s.fdrunc(["start", "c"]).fails(), 'cannot start container "c": its config has no process');
  assert.equal(s.status(), "created");
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

system("delete --force removes a container in any state, and none is fine", (s) => {
  s.fdrunc(["delete", "--force", "absent"]).succeeds();
  for (const started of [false, true]) {
    container(s, SLEEP, started);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
    s.assertNothingLeft();
  }
  container(s, ["true"]);
  s.fdrunc(["delete", "-f", "c"]).succeeds();
  s.assertNothingLeft();
});

system("delete takes a created container, too, as runc does", (s) => {
  container(s, SLEEP, false);
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

system("delete --force removes the remains of a creation that was cut short at any file", (s) => {
  for (const files of [{}, { "config.json": "{}" }, { "state.json.1.tmp": "{" }]) {
    mkdirSync(`${s.state}/c`, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(`${s.state}/c/${name}`, text);
    assert.match(s.fdrunc(["state", "c"]).fails(), /^container "c": its creation was cut short$/);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
    assert.equal(existsSync(`${s.state}/c`), false);
  }
});

system("kill sends any signal, by name or number", (s) => {
  container(s, ["sh", "-c", 'for n in HUP USR1 40; do trap "echo $n" $n; done; echo up; while :; do sleep 0.02; done']);
  const output = () => readFileSync(s.path("0.out"), "utf8");
  eventually(() => assert.equal(output(), "up\n"));
  const sent = [
    ["HUP", "HUP"],
    ["SIGUSR1", "USR1"],
    ["10", "USR1"],
    ["sigusr1", "USR1"],
    ["RTMIN+6", "40"],
  ];
  let expected = "up\n";
  for (const [signal, told] of sent) {
    s.fdrunc(["kill", "c", signal]).succeeds();
    expected += `${told}\n`;
    eventually(() => assert.equal(output(), expected));
  }
  assert.equal(s.fdrunc(["kill", "c", "NOSUCH"]).fails(), 'signal "NOSUCH": unknown');
  assert.equal(s.fdrunc(["kill", "c", "65"]).fails(), 'signal "65": unknown');
});

system("kill sends the image's stop signal if it is told no other", (s) => {
  const script = 'trap "echo USR1; exit" USR1; trap "echo TERM" TERM; echo up; while :; do sleep 0.02; done';
  s.write((config) => {
    config.process.args = ["sh", "-c", script];
    config.annotations = { "org.opencontainers.image.stopSignal": "SIGUSR1" };
  });
  const created = s.create();
  s.fdrunc(["start", "c"]).succeeds();
  eventually(() => assert.equal(created.stdout, "up\n"));
  s.fdrunc(["kill", "c", "TERM"]).succeeds();
  eventually(() => assert.equal(created.stdout, "up\nTERM\n"));
  s.fdrunc(["kill", "c"]).succeeds();
  s.waitFor("stopped");
  assert.equal(created.stdout, "up\nTERM\nUSR1\n");
});

system("kill sends TERM if it is told no signal", (s) => {
  container(s, ["sh", "-c", 'trap "echo TERM; exit" TERM; echo up; while :; do sleep 0.02; done']);
  eventually(() => assert.equal(readFileSync(s.path("0.out"), "utf8"), "up\n"));
  s.fdrunc(["kill", "c"]).succeeds();
  s.waitFor("stopped");
  assert.equal(readFileSync(s.path("0.out"), "utf8"), "up\nTERM\n");
});

system("a created container can be killed, and is stopped then", (s) => {
  container(s, SLEEP, false);
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  s.waitFor("stopped");
  assert.match(s.fdrunc(["start", "c"]).fails(), /a container that has stopped$/);
});

withCgroups("kill --all reaches processes that init has left behind, also once it has ended", (s) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "sleep 1000 & sleep 1001 & echo up; wait"];
    // Of the host's process ids: init's end does not take the others along.
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
  });
  const run = s.create();
  run.succeeds();
  s.fdrunc(["start", "c"]).succeeds();
  eventually(() => assert.equal(run.stdout, "up\n"));
  process.kill(Number(s.stateOf().pid), "SIGKILL");
  s.waitFor("stopped");
  eventually(() => assert.equal(s.leftovers().filter((what) => what.endsWith(": sleep")).length, 2));
  s.fdrunc(["kill", "--all", "c", "KILL"]).succeeds();
  eventually(() =>
    assert.deepEqual(
      s.leftovers().filter((what) => what.startsWith("process")),
      [],
    ),
  );
  s.fdrunc(["kill", "--all", "c", "KILL"]).succeeds();
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

withCgroups(
  "kill KILL reaches all processes of a container that shares the host's process ids, and so does delete",
  (s) => {
    for (const end of [
      ["kill", "c", "KILL"],
      ["delete", "--force", "c"],
    ]) {
      s.write((config) => {
        config.process.args = ["sh", "-c", "sleep 1000 & echo up; wait"];
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
      });
      const run = s.create();
      s.fdrunc(["start", "c"]).succeeds();
      eventually(() => assert.equal(run.stdout, "up\n"));
      s.fdrunc(end).succeeds();
      eventually(() =>
        assert.deepEqual(
          s.leftovers().filter((what) => what.startsWith("process")),
          [],
        ),
      );
      s.fdrunc(["delete", "--force", "c"]).succeeds();
      s.assertNothingLeft();
    }
  },
);

withCgroups("delete ends what a stopped container has left running beside the host's processes", (s) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "sleep 1000 & echo up"];
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
  });
  s.create().succeeds();
  s.fdrunc(["start", "c"]).succeeds();
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
  assert.equal(s.run().succeeds(), "up\n");
  s.assertNothingLeft();
});

withCgroups("list: a table, JSON, names alone", (s) => {
  assert.equal(s.fdrunc(["list", "--format", "json"]).succeeds(), "null\n");
  assert.match(s.fdrunc(["list"]).succeeds(), /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n$/);
  const separate = (id: string) =>
    s.write((config) => {
      config.process.args = SLEEP;
      config.linux.cgroupsPath = `${s.config.linux.cgroupsPath}-${id}`;
    });
  for (const id of ["b", "a-container-of-a-rather-long-name"]) {
    separate(id);
    s.create(id).succeeds();
  }
  s.fdrunc(["start", "b"]).succeeds();
  assert.equal(s.fdrunc(["list", "-q"]).succeeds(), "a-container-of-a-rather-long-name\nb\n");
  const listed = JSON.parse(s.fdrunc(["list", "-f", "json"]).succeeds());
  assert.deepEqual(listed, [s.stateOf("a-container-of-a-rather-long-name"), s.stateOf("b")]);
  const rows = s
    .fdrunc(["list"])
    .succeeds()
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ +/));
  for (const [i, { id, pid, status, bundle, created, owner }] of listed.entries())
    assert.deepEqual(rows[i + 1], [id, String(pid), status, bundle, created, owner]);
  assert.match(s.fdrunc(["list", "--format", "yaml"]).fails(), /'yaml' is invalid/);
});

system("--root says where the state is kept", (s) => {
  const other = ["--root", s.path("other")];
  s.fdrunc([...other, "create", "c"]).succeeds();
  assert.ok(existsSync(s.path("other/c/state.json")));
  assert.match(s.fdrunc(["state", "c"]).fails(), /does not exist/);
  s.fdrunc([...other, "delete", "--force", "c"]).succeeds();
});

system("--pid-file holds the first process's id as the host numbers it", (s) => {
  s.write((config) => {
    config.process.args = SLEEP;
  });
  s.create("c", "--pid-file", s.path("pid")).succeeds();
  assert.equal(readFileSync(s.path("pid"), "utf8"), String(s.stateOf().pid));
});

system("--config names a file in config.json's place", (s) => {
  s.write((config) => {
    config.process.args = ["echo", "the other"];
  });
  writeFileSync(s.path("other.json"), readFileSync(`${s.bundle}/config.json`));
  rmSync(`${s.bundle}/config.json`);
  assert.equal(s.run("c", "--config", s.path("other.json")).succeeds(), "the other\n");
  assert.equal(s.run("c", "--bundle", s.bundle, "--config", "../other.json").succeeds(), "the other\n");
});

system("a bundle is found from anywhere, by an absolute or a relative path", (s) => {
  s.write((config) => {
    config.process.args = ["echo", "here"];
  });
  assert.equal(s.fdrunc(["run", "--bundle", s.bundle, "c"], { cwd: "/" }).succeeds(), "here\n");
  assert.equal(s.fdrunc(["run", "-b", "bundle", "c"], { cwd: s.directory }).succeeds(), "here\n");
  assert.equal(s.fdrunc(["run", "--bundle=../bundle/.", "c"], { cwd: s.state }).succeeds(), "here\n");
});

system("ids of all allowed characters", (s) => {
  for (const id of ["a", "A.b_c-d+9", "...", "-".padStart(3, "x"), "x".repeat(200)]) {
    s.create(id).succeeds();
    assert.equal(s.stateOf(id).id, id);
    s.fdrunc(["delete", id]).succeeds();
  }
  s.assertNothingLeft();
});
