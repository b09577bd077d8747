import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { asRoot, cgroupsPath, entries, FORM, type Scene, system } from "./harness.js";

const isNode = FORM === "node";

/** How long a creation takes at the least, in milliseconds. */
async function durationOf(s: Scene): Promise<number> {
  const durations: number[] = [];
  for (let i = 0; i < 4; i++) {
    const start = performance.now();
    (await s.start(["create", "c"]).ended).succeeds();
    durations.push(performance.now() - start);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
  }
  return Math.min(...durations);
}

system("a create that is killed at any moment leaves what delete --force removes", async (s, t) => {
  s.write((config) => {
    config.mounts.push({ destination: "/bin", type: "tmpfs", options: ["tmpcopyup"] });
    config.process.terminal = false;
    config.hooks = { createRuntime: [{ path: "/bin/true" }] };
  });
  let duration = await durationOf(s);
  const times = isNode ? 40 : 200;
  let cut = 0;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    const { child, ended } = s.start(["create", "c"]);
    const took = ended.then(() => performance.now() - start);
    // From before the first instruction to after the last.
    await delay(duration * 1.2 * Math.random());
    child.kill("SIGKILL");
    if ((await ended).status === null) cut++;
    // The machine may have less to do by now.
    else duration = Math.min(duration, await took);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
    s.assertNothingLeft();
    // The id can be used again.
    if (i % 20 === 0) s.run().succeeds();
  }
  t.diagnostic(`${cut} of ${times} creations were cut short`);
  assert.ok(cut > times / 10);
});

system("start, run and delete that are killed at any moment leave what delete --force removes", async (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  const duration = await durationOf(s);
  for (let i = 0; i < (isNode ? 2 : 30); i++)
    for (const command of ["start", "run", "delete"]) {
      if (command !== "run") s.create().succeeds();
      const { child, ended } = s.start([command, "c"]);
      await delay(duration * Math.random());
      child.kill("SIGKILL");
      await ended;
      s.fdrunc(["delete", "--force", "c"]).succeeds();
      s.assertNothingLeft();
    }
});

system("of commands for one container at a time, one creates, one starts, one deletes", async (s) => {
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
  });
  const atOnce = async (...command: string[]) => {
    const results = await Promise.all(Array.from({ length: isNode ? 3 : 6 }, () => s.start([...command, "c"]).ended));
    return results.filter(({ status }) => status === 0).length;
  };
  for (let i = 0; i < (isNode ? 1 : 8); i++) {
    assert.equal(await atOnce("create"), 1);
    assert.equal(await atOnce("start"), 1);
    assert.equal(s.status(), "running");
    s.fdrunc(["kill", "c", "KILL"]).succeeds();
    s.waitFor("stopped");
    assert.equal(await atOnce("delete"), 1);
    s.assertNothingLeft();
    // With --force, that there is nothing left is fine.
    s.create().succeeds();
    assert.equal(await atOnce("delete", "--force"), isNode ? 3 : 6);
    s.assertNothingLeft();
  }
});

asRoot("many containers at a time: none is lost, none is left", async (s, t) => {
  const total = isNode ? 60 : 500;
  mkdirSync(s.path("out"));
  mkdirSync(s.path("configs"));
  const failures: string[] = [];
  const one = async (id: string) => {
    const config = s.write((config) => {
      config.hostname = id;
      config.process.args = ["sh", "-c", "echo > /out/$(hostname)"];
      config.mounts.push({ destination: "/out", type: "bind", source: s.path("out"), options: ["bind"] });
      config.linux.cgroupsPath = cgroupsPath(id);
    });
    const file = s.path("configs", `${id}.json`);
    writeFileSync(file, JSON.stringify(config));
    const call = async (...args: string[]) => {
      const { status, stderr } = await s.start(args).ended;
      if (status !== 0 || stderr !== "") failures.push(`${args.join(" ")}: ${status} ${stderr}`);
    };
    await call("create", "--config", file, id);
    await call("start", id);
    for (let i = 0; i < 6000 && !existsSync(s.path("out", id)); i++) await delay(5);
    await call("delete", "--force", id);
  };
  let next = 0;
  const worker = async () => {
    while (next < total) await one(`c${next++}`);
    // Containers come and go meanwhile.
    const { status, stderr } = await s.start(["list"]).ended;
    if (status !== 0 || stderr !== "") failures.push(`list: ${status} ${stderr}`);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: 20 }, worker));
  t.diagnostic(`${total} containers in ${Math.round(performance.now() - start)} ms`);
  assert.deepEqual(failures, []);
  assert.equal(entries(s.path("out")).length, total);
  s.assertNothingLeft();
});
