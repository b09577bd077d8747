import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Attachment, attach, type CniNetwork, check, detach } from "../../src/net/cni-network.js";

/** A directory of plugins, the only one that CNI_PATH names: shell scripts that write down how they are called. */
function plugins(t: TestContext, scripts: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), "fdnet-"));
  const before = process.env.CNI_PATH;
  process.env.CNI_PATH = `/nonexistent:${directory}`;
  t.after(() => {
    if (before === undefined) delete process.env.CNI_PATH;
    else process.env.CNI_PATH = before;
    rmSync(directory, { recursive: true });
  });
  const log = join(directory, "log");
  for (const [name, script] of Object.entries(scripts)) {
    const note = `{ printf '{"plugin":"${name}","command":"%s","variables":"%s","config":' "$CNI_COMMAND" \\
        "$CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $CNI_PATH"; cat; echo '}'; } >> ${log}`;
    writeFileSync(join(directory, name), `#!/bin/sh\n${note}\n${script}\n`, { mode: 0o755 });
  }
  const calls = () =>
    existsSync(log)
      ? readFileSync(log, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
      : [];
  return { directory, calls };
}

const SANDBOX = { containerId: "box", netns: "/run/ns" };
const RESULT = '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}],"own":1}';

const network = (...types: string[]): CniNetwork => ({
  cniVersion: "1.0.0",
  name: "net",
  plugins: types.map((type) => ({ type, of: type, capabilities: { [`${type}s`]: true } })),
});

const attachment = (to: CniNetwork): Attachment => ({
  network: to,
  ifname: "eth0",
  args: "A=1;B=2",
  runtimeConfig: { ones: [1], threes: [3] },
});

test("plugins are called in order, each with the result of the one before", (t) => {
  const { directory, calls } = plugins(t, { one: `echo '${RESULT}'`, two: `echo '{"ips":[]}'` });
  const result = attach(SANDBOX, attachment(network("one", "two")));
  assert.deepEqual(result, { ips: [] });
  const variables = `box /run/ns eth0 A=1;B=2 /nonexistent:${directory}`;
  const config = { cniVersion: "1.0.0", name: "net" };
  assert.deepEqual(calls(), [
    {
      plugin: "one",
      command: "ADD",
      variables,
      config: { type: "one", of: "one", ...config, runtimeConfig: { ones: [1] } },
    },
    {
      plugin: "two",
      command: "ADD",
      variables,
      config: { type: "two", of: "two", ...config, prevResult: JSON.parse(RESULT) },
    },
  ]);
});

test("an attachment is taken back in reverse, with the configuration and the result that it came with", (t) => {
  const { calls } = plugins(t, { one: "", two: "" });
  const whole = { ...attachment(network("one", "two")), result: JSON.parse(RESULT) };
  detach(SANDBOX, whole);
  detach(SANDBOX, attachment(network("one")));
  assert.deepEqual(
    calls().map(({ plugin, command, config }) => [plugin, command, config.prevResult, config.runtimeConfig]),
    [
      ["two", "DEL", JSON.parse(RESULT), undefined],
      ["one", "DEL", JSON.parse(RESULT), { ones: [1] }],
      ["one", "DEL", undefined, { ones: [1] }],
    ],
  );
});

test("an attachment is checked, unless its network does without", (t) => {
  const { calls } = plugins(t, {
    one: "",
    two: `echo '{"code":100,"msg":"not as it was"}'; exit 1`,
    portmap: "exit 1",
  });
  const made = { ...attachment(network("one", "portmap", "two")), result: JSON.parse(RESULT) };
  assert.throws(() => check(SANDBOX, made), {
    name: "Failure",
    message: 'network "net": plugin "two": CHECK: not as it was',
  });
  assert.deepEqual(
    calls().map(({ plugin, command, config }) => [plugin, command, config.prevResult.own]),
    [
      ["one", "CHECK", 1],
      ["two", "CHECK", 1],
    ],
  );
  check(SANDBOX, { ...made, network: { ...network("two"), disableCheck: true } });
});

test("a plugin's failure is told in its own words", (t) => {
  const { directory } = plugins(t, {
    told: `echo '{"cniVersion":"1.0.0","code":11,"msg":"try again","details":"no address left"}'; exit 1`,
    silent: "exit 3",
    loud: "echo one >&2; echo two >&2; exit 1",
    killed: "kill -9 $$",
    strange: "echo hello",
    empty: "",
    old: `if [ $CNI_COMMAND = VERSION ]; then echo '{"supportedVersions":["0.3.1","0.4.0"]}'; exit; fi
      echo '{"code":1,"msg":"incompatible CNI versions"}'; exit 1`,
  });
  writeFileSync(join(directory, "plain"), "");
  const absent = `there is none in /nonexistent:${directory} (on Debian the package containernetworking-plugins has it; CNI_PATH names other directories)`;
  const cases: [type: string, message: string][] = [
    ["told", 'plugin "told": ADD: try again: no address left'],
    ["silent", 'plugin "silent": ADD: ended with exit status 3'],
    ["loud", 'plugin "loud": ADD: two'],
    ["killed", 'plugin "killed": ADD: ended with signal 9'],
    ["strange", 'plugin "strange": prints something else than JSON'],
    ["empty", 'plugin "empty" prints no result'],
    ["old", 'plugin "old": ADD: incompatible CNI versions (it supports the versions 0.3.1, 0.4.0)'],
    ["absent", `plugin "absent": ${absent}`],
    ["plain", `plugin "plain": ${absent}`],
    ["../bin/sh", `plugin "../bin/sh": ${absent}`],
  ];
  for (const [type, message] of cases)
    assert.throws(() => attach(SANDBOX, attachment(network(type))), {
      name: "Failure",
      message: `network "net": ${message}`,
    });
});
