import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { system } from "./harness.js";

system("errors go to the log as lines that engines take apart, the same text as on standard error", (s) => {
  const log = s.path("log.json");
  const flags = ["--log", log, "--log-format", "json"];
  const first = s.fdrunc([...flags, "state", "absent"]).fails();
  s.write((config) => {
    config.process.args = ["/absent"];
  });
  const second = s.fdrunc([...flags, "create", "c"]).fails();
  s.fdrunc([...flags, "list"]).succeeds();
  const lines = readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ level, msg }) => ({ level, msg })),
    [first, second].map((msg) => ({ level: "error", msg })),
  );
  for (const line of lines) {
    assert.deepEqual(Object.keys(line), ["level", "msg", "time"]);
    assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  }
});

system("the log as text", (s) => {
  const log = s.path("log");
  const message = s.fdrunc(["--log", log, "state", "absent"]).fails();
  const [, text] = /^time="[^"]+" level=error msg=(".*")\n$/.exec(readFileSync(log, "utf8")) ?? [];
  assert.equal(JSON.parse(text), message);
});

system("warnings are told on standard error, or go to the log where there is one", (s) => {
  s.write((config) => {
    config.hooks = { poststop: [{ path: "/bin/false" }] };
  });
  const warning = 'hooks.poststop[0]: "/bin/false": exit status 1';
  assert.equal(s.run().stderr, `fdrunc: warning: ${warning}\n`);
  const log = s.path("log.json");
  s.fdrunc(["--log", log, "--log-format", "json", "run", "c"]).succeeds();
  const { level, msg } = JSON.parse(readFileSync(log, "utf8"));
  assert.deepEqual({ level, msg }, { level: "warning", msg: warning });
});

system("what the specification does not know is passed over, and told at --debug", (s) => {
  s.writeText(JSON.stringify({ ...s.config, hostName: "x" }));
  s.run().succeeds();
  const { status, stderr } = s.fdrunc(["--debug", "run", "c"]);
  assert.deepEqual([status, stderr], [0, "fdrunc: hostName: not known to the specification, so passed over\n"]);
  const log = s.path("log.json");
  assert.equal(s.fdrunc(["--debug", "--log", log, "--log-format", "json", "run", "c"]).status, 0);
  const { level, msg } = JSON.parse(readFileSync(log, "utf8"));
  assert.deepEqual({ level, msg }, { level: "debug", msg: "hostName: not known to the specification, so passed over" });
});

system("an error in the command line itself is logged, too", (s) => {
  const log = s.path("log");
  s.fdrunc(["--log", log, "create", "--no-such-flag", "c"]).fails();
  assert.match(readFileSync(log, "utf8"), /level=error msg="unknown option '--no-such-flag'"/);
});

system("no log is made where nothing is to be said", (s) => {
  s.fdrunc(["--log", s.path("log"), "list"]).succeeds();
  assert.equal(existsSync(s.path("log")), false);
});

system("version, help and features", (s) => {
  const version = s.fdrunc(["--version"]).succeeds();
  assert.match(
    version,
    /^fdrunc version \d+\.\d+\.\d+\n(commit: [0-9a-f]{40}(-dirty)?\n)?spec: 1\.\d+\.\d+\n(quickjs|node): .+\n$/,
  );
  assert.equal(s.fdrunc(["-v"]).succeeds(), version);
  const help = s.fdrunc(["--help"]).succeeds();
  for (const command of ["create", "start", "state", "kill", "delete", "run", "list", "plan", "features", "spec"])
    assert.match(help, new RegExp(`^ +${command}\\b`, "m"));
  assert.match(s.fdrunc(["create", "--help"]).succeeds(), /--console-socket <path>/);
  assert.match(s.fdrunc(["help", "run"]).succeeds(), /--detach/);
  const features = JSON.parse(s.fdrunc(["features"]).succeeds());
  assert.equal(features.ociVersionMin, "1.0.0");
  assert.ok(features.mountOptions.includes("rro"));
  assert.deepEqual(features.linux.namespaces, ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]);
});
