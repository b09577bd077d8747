import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Seccomp } from "../../src/generated/config.js";
import { Agent } from "./agent.js";
import { type FullConfig, type Scene, system } from "./harness.js";

const EPERM = 1;

/** A config whose program runs a script, under a filter that lets an agent decide on some system calls. */
function notify(
  s: Scene,
  names: string,
  script: string,
  change: (config: FullConfig, seccomp: Seccomp) => void = () => {},
) {
  return s.write((config) => {
    config.process.args = ["sh", "-c", script];
    const seccomp: Seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      listenerPath: s.path("agent"),
      syscalls: [{ names: names.split(" "), action: "SCMP_ACT_NOTIFY" }],
    };
    config.linux.seccomp = seccomp;
    change(config, seccomp);
  });
}

function agentAt(s: Scene, t: TestContext, name = "agent"): Agent {
  const agent = new Agent(s.path(name));
  t.after(() => agent.close());
  return agent;
}

system("an agent outside makes the directories that a container asks for", async (s, t) => {
  const agent = agentAt(s, t);
  const config = notify(s, "mkdir mkdirat", "mkdir /made && mkdir /refused; ls -d /made", (_, seccomp) => {
    seccomp.listenerMetadata = "for the agent";
  });
  config.root.readonly = true;
  s.write((other) => Object.assign(other, config, { annotations: { "org.example.a": "b" } }));
  s.create().succeeds();
  const { ended } = s.start(["start", "c"]);
  const { message, listener } = agent.meet();
  const { pid, status: _, ...state } = s.stateOf() as { pid: number; status: string };
  const { ociVersion, id, bundle, annotations } = state as Record<string, unknown>;
  assert.deepEqual(message, {
    ociVersion,
    fds: ["seccompFd"],
    pid,
    metadata: "for the agent",
    state: { ociVersion, id, status: "creating", pid, bundle, annotations },
  });
  assert.equal((await ended).succeeds(), "");
  const paths: string[] = [];
  for (let i = 0; i < 2; i++)
    agent.answer(listener, ({ args, text }) => {
      const path = [args[0], args[1]].map((address) => (address > 4096n ? text(address) : "")).find(Boolean) as string;
      paths.push(path);
      if (path === "/refused") return { errno: EPERM };
      mkdirSync(join(s.rootfs, path));
      return { value: 0 };
    });
  assert.deepEqual(paths, ["/made", "/refused"]);
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  assert.ok(existsSync(join(s.rootfs, "made")));
});

system(
  "a process that is added has a listener of its own, and the agent is told which process that is",
  async (s, t) => {
    const agent = agentAt(s, t);
    notify(s, "mkdir mkdirat", "sleep 1000");
    const first = s.start(["run", "--detach", "c"]);
    agent.meet();
    assert.equal((await first.ended).succeeds(), "");
    const { ended } = s.start(["exec", "--pid-file", s.path("pid"), "c", "mkdir", "/refused"]);
    const { message, listener } = agent.meet();
    const { pid, state } = message as { pid: number; state: { pid: number; status: string } };
    assert.deepEqual([state.pid, state.status], [s.stateOf().pid, "running"]);
    assert.notEqual(pid, state.pid);
    agent.answer(listener, () => ({ errno: EPERM }));
    const { status, stderr } = await ended;
    assert.deepEqual([status, /refused.*not permitted/.test(stderr)], [1, true]);
    assert.equal(readFileSync(s.path("pid"), "utf8"), String(pid));
  },
);

system("all that init still does once its filter is loaded can be put before the agent", async (s, t) => {
  const agent = agentAt(s, t);
  const names = "read close capset execve exit exit_group prctl";
  notify(s, names, "echo went well", (config, seccomp) => {
    config.process.noNewPrivileges = false;
    seccomp.flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"];
  });
  const { ended } = s.start(["run", "c"]);
  agent.answerAll(agent.meet().listener, () => "continue");
  assert.equal((await ended).succeeds(), "went well\n");
});

system("waiting for an answer can be made killable", async (s, t) => {
  const agent = agentAt(s, t);
  notify(s, "mkdir mkdirat", "mkdir /x", (_, seccomp) => {
    seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
  });
  const plan = s.fdrunc(["plan"]).succeeds();
  assert.match(plan, /WAIT_KILLABLE_RECV\|SECCOMP_FILTER_FLAG_NEW_LISTENER/);
  const { ended } = s.start(["run", "c"]);
  agent.answer(agent.meet().listener, () => ({ errno: EPERM }));
  const { stderr, status } = await ended;
  assert.match(stderr, /mkdir: can't create directory '\/x': Operation not permitted/);
  assert.equal(status, 1);
});

system("crun's annotation names the agent, too", async (s, t) => {
  const agent = agentAt(s, t, "other");
  notify(s, "mkdir mkdirat", "mkdir /x", (config, seccomp) => {
    delete seccomp.listenerPath;
    config.annotations["run.oci.seccomp.receiver"] = s.path("other");
  });
  const { ended } = s.start(["run", "c"]);
  const { message, listener } = agent.meet();
  assert.ok(!("metadata" in message));
  agent.answer(listener, () => ({ value: 0 }));
  (await ended).succeeds();
});

system("a startContainer hook is under the filter as well, and has its own listener", async (s, t) => {
  const agent = agentAt(s, t);
  notify(s, "mkdir mkdirat", "mkdir /later", (config) => {
    config.hooks = { startContainer: [{ path: "/bin/mkdir", args: ["mkdir", "/hooked"] }] };
  });
  s.create().succeeds();
  const { ended } = s.start(["start", "c"]);
  const hook = agent.meet();
  agent.answer(hook.listener, () => ({ value: 0 }));
  const init = agent.meet();
  agent.answer(init.listener, () => ({ value: 0 }));
  (await ended).succeeds();
  assert.notEqual(hook.message.pid, init.message.pid);
  assert.equal(init.message.pid, init.message.state.pid);
  assert.equal(hook.message.state.pid, init.message.pid);
});

system("a container whose agent is not there does not start", (s, t) => {
  const path = JSON.stringify(s.path("agent"));
  notify(s, "mkdir mkdirat", "true");
  const property = "linux.seccomp.listenerPath";
  assert.equal(s.create().fails(), `${property}: ${path}: no such socket`);
  assert.deepEqual(s.leftovers(), []);
  writeFileSync(s.path("agent"), "");
  assert.equal(s.create().fails(), `${property}: ${path}: not a socket`);
  rmSync(s.path("agent"));
  // A socket whose owner has gone.
  const agent = agentAt(s, t);
  s.create().succeeds();
  agent.close();
  const refused = `${property}: ${path}: connect to ${path}: connection refused (ECONNREFUSED)`;
  assert.equal(s.fdrunc(["start", "c"]).fails(), refused);
  s.assertNothingLeft();
  assert.equal(s.run().fails(), refused);
  s.assertNothingLeft();
});

system("a filter that cannot notify is refused by its JSON path", (s) => {
  const refuses = (names: string, error: RegExp, change: (config: FullConfig, seccomp: Seccomp) => void = () => {}) => {
    notify(s, names, "true", change);
    assert.match(s.create().fails(), error);
    assert.deepEqual(s.leftovers(), []);
  };
  const words = (text: string) => new RegExp(`: linux\\.seccomp\\.${text}$`);
  refuses("write", words("syscalls\\[0\\]\\.names\\[0\\]: SCMP_ACT_NOTIFY cannot be used for the write syscall"));
  refuses("mkdir", words("defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"), (_, seccomp) => {
    seccomp.defaultAction = "SCMP_ACT_NOTIFY";
  });
});

system("the agent is told what runc tells it", async (s, t) => {
  if (spawnSync("runc", ["--version"]).status !== 0) {
    t.skip("needs runc");
    return;
  }
  const agent = agentAt(s, t);
  notify(s, "mkdir mkdirat", "mkdir /x", (config, seccomp) => {
    seccomp.listenerMetadata = "data";
    config.annotations.a = "b";
    // What runc 1.1 knows.
    config.ociVersion = "1.0.2";
  });
  // runc leaves the connection open, and tells a version of its own where the container's belongs.
  const tell = async (ended: Promise<unknown>, closes: boolean) => {
    const { message, listener } = agent.meet(closes);
    agent.answer(listener, () => ({ value: 0 }));
    await ended;
    const { pid, state } = message;
    assert.equal(pid, state.pid);
    return { ...message, pid: 0, ociVersion: "", state: { ...state, pid: 0, ociVersion: "" } };
  };
  const ours = await tell(s.start(["run", "c"]).ended, true);
  const command = ["runc", "--root", s.path("runc"), "run", "--bundle", s.bundle, "c"];
  assert.deepEqual(ours, await tell(s.spawn(command).ended, false));
});
