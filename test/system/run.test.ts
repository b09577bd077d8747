import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { eventually, type Scene, system } from "./harness.js";

const shell = (s: Scene, script: string) =>
  s.write((config) => {
    config.process.args = ["sh", "-c", script];
  });

system("run gives what the program gives: its output, its status, a signal's number above 128", (s) => {
  shell(s, "echo out; echo err >&2; exit 42");
  const result = s.run();
  assert.deepEqual([result.status, result.stdout, result.stderr], [42, "out\n", "err\n"]);
  s.assertNothingLeft();
  shell(s, "kill -9 $$; sleep 1000");
  // The first process of a process id namespace does not die of its own signal.
  s.write((config) => {
    config.process.args = ["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"];
  });
  assert.equal(s.run().status, 143);
  s.assertNothingLeft();
});

system("a program that a signal ends has 128 and its number as status", async (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  const { ended } = s.start(["run", "c"]);
  eventually(() => assert.match(s.fdrunc(["state", "c"]).stdout, /"status": "running"/));
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  assert.equal((await ended).status, 137);
  s.assertNothingLeft();
});

system("standard input reaches the program", (s) => {
  shell(s, "wc -c");
  assert.equal(s.fdrunc(["run", "c"], { under: ["sh", "-c", 'printf 12345 | exec "$0" "$@"'] }).succeeds(), "5\n");
});

system("signals sent to run reach the program", async (s) => {
  shell(
    s,
    'for n in HUP USR1 USR2 WINCH INT; do trap "echo $n" $n; done; trap "echo TERM; exit 5" TERM; echo up; while :; do sleep 0.02; done',
  );
  const { child, ended } = s.start(["run", "c"]);
  const output = () => readFileSync(s.path("0.out"), "utf8");
  let expected = "up\n";
  eventually(() => assert.equal(output(), expected));
  for (const name of ["HUP", "USR1", "USR2", "WINCH", "INT", "TERM"]) {
    child.kill(`SIG${name}` as NodeJS.Signals);
    expected += `${name}\n`;
    eventually(() => assert.equal(output(), expected));
  }
  assert.equal((await ended).status, 5);
  s.assertNothingLeft();
});

system("run --detach leaves the container running, and tells its process", (s) => {
  shell(s, "echo up; sleep 1000");
  const result = s.run("c", "--detach", "--pid-file", s.path("pid"));
  result.succeeds();
  assert.equal(s.stateOf().pid, Number(readFileSync(s.path("pid"), "utf8")));
  assert.equal(s.status(), "running");
  eventually(() => assert.equal(result.stdout, "up\n"));
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  s.assertNothingLeft();
});

system("run --keep leaves the stopped container's remains", (s) => {
  shell(s, "exit 3");
  assert.equal(s.run("c", "--keep").status, 3);
  assert.equal(s.status(), "stopped");
  assert.equal(existsSync(`${s.state}/c`), true);
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

system("run takes the container's orphans along, unless told not to", (s) => {
  // Of the host's process ids, so that the orphan outlives its parent.
  s.write((config) => {
    config.process.args = ["sh", "-c", "(sleep 0.3; echo late) & exit 0"];
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
  });
  assert.equal(s.run().status, 0);
  s.assertNothingLeft();
  assert.equal(s.run("c", "--no-subreaper").status, 0);
  s.assertNothingLeft();
});

system("run takes the status of orphans that it has adopted", async (s) => {
  s.write((config) => {
    config.process.args = ["sh", "-c", "(sleep 1000 &); exec sleep 1000"];
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
  });
  const { child, ended } = s.start(["run", "c"]);
  const children = () => {
    const tasks = readdirSync(`/proc/${child.pid}/task`);
    const lists = tasks.map((task) => readFileSync(`/proc/${child.pid}/task/${task}/children`, "utf8"));
    return lists.join(" ").split(" ").filter(Boolean).map(Number);
  };
  // Before that it may have made others.
  s.waitFor("running");
  eventually(() => assert.equal(children().length, 2));
  const { pid } = s.stateOf();
  process.kill(children().find((one) => one !== pid) as number);
  eventually(() => assert.deepEqual(children(), [pid]));
  s.fdrunc(["kill", "c", "KILL"]).succeeds();
  assert.equal((await ended).status, 137);
});

system("sockets that systemd hands over are the program's", (s) => {
  writeFileSync(s.path("socket"), "connected\n");
  const socket = openSync(s.path("socket"), "r");
  s.write(({ process }) => {
    process.args = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3"];
  });
  const under = (pid: string) => ["sh", "-c", `LISTEN_FDS=1 LISTEN_PID=${pid} exec "$@"`, "sh"];
  const stdio = ["ignore", undefined, undefined, socket] as number[];
  assert.equal(s.fdrunc(["run", "c"], { stdio, under: under("$$") }).succeeds(), "1 1\nconnected\n");
  // What was meant for another process is none of its business.
  assert.equal(s.fdrunc(["run", "c"], { stdio, under: under("1") }).stdout, "\n");
  closeSync(socket);
});

system("a run that fails to start leaves nothing", (s) => {
  s.write((config) => {
    config.process.args = ["true"];
    config.hooks = { poststart: [{ path: "/bin/false" }] };
  });
  assert.match(s.run().fails(), /^hooks\.poststart\[0\]: "\/bin\/false": exit status 1$/);
  s.assertNothingLeft();
});

system("flags of Go's style, and values after an equals sign", (s) => {
  shell(s, "echo fine");
  assert.equal(s.fdrunc(["run", "-bundle", s.bundle, "c"], { cwd: "/" }).succeeds(), "fine\n");
  assert.equal(s.fdrunc(["run", `--bundle=${s.bundle}`, "-no-subreaper", "c"], { cwd: "/" }).succeeds(), "fine\n");
});
