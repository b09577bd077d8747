import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { running } from "./exec-scene.js";
import { FORM, system, withCgroups } from "./harness.js";

const ROUNDS = FORM === "node" ? 80 : 1000;

/** How many are under way at once. */
const WIDTH = 8;

withCgroups("processes are added many at a time while the container is paused and resumed", async (s, t) => {
  running(s);
  let left = ROUNDS;
  let refused = 0;
  const worker = async (_: unknown, index: number) => {
    // Half of them wait where they meet a pause.
    const flags = index % 2 === 0 ? ["--ignore-paused"] : [];
    while (left-- > 0) {
      const result = await s.start(["exec", ...flags, "c", "sh", "-c", "exit 5"]).ended;
      if (result.status === 5) continue;
      assert.deepEqual(flags, []);
      assert.match(result.fails(255), /cannot exec in a paused container/);
      refused++;
    }
  };
  const work = Promise.all(Array.from({ length: WIDTH }, worker));
  let done = false;
  const pauses = (async () => {
    let count = 0;
    for (; !done; count++) {
      for (const command of ["pause", "resume"]) {
        (await s.start([command, "c"]).ended).succeeds();
        await setTimeout(20);
      }
    }
    return count;
  })();
  await work.finally(() => {
    done = true;
  });
  t.diagnostic(`${ROUNDS - refused} ended, ${refused} met a pause, of ${await pauses}`);
  assert.ok(refused < ROUNDS);
  assert.equal(s.fdrunc(["ps", "--format", "json", "c"]).succeeds(), `[${s.stateOf().pid}]\n`);
});

system("what is added while the container ends says so in one line, or has ended with it", async (s) => {
  for (let round = 0; round < (FORM === "node" ? 5 : 40); round++) {
    running(s);
    const all = Array.from({ length: 4 }, () => s.start(["exec", "c", "sleep", "1000"]).ended);
    await setTimeout(round % 10);
    s.fdrunc(["delete", "--force", "c"]).succeeds();
    for (const result of await Promise.all(all)) {
      if (result.status === 137) assert.equal(result.stderr, "");
      else assert.match(result.fails(255), /container not running|does not exist/);
    }
  }
});

withCgroups("each step of a process that is added is told when it fails, and no process is left", (s, t) => {
  running(s);
  const fail = (number: number) => s.fdrunc(["exec", "--fail-step", `${number}:EIO`, "c", "true"]);
  const [, last] = /numbered from 1 to (\d+)$/.exec(fail(100_000).fails(255)) ?? [];
  let failed = 0;
  for (let number = 1; number <= Number(last); number += FORM === "node" ? 10 : 1) {
    const result = fail(number);
    // Steps on branches that are not taken do not fail.
    if (result.status === 0) continue;
    assert.match(result.fails(255), new RegExp(`\\(step ${number}\\): .*\\(EIO\\)`));
    failed++;
  }
  assert.ok(failed > (FORM === "node" ? 5 : 50));
  t.diagnostic(`${failed} of ${last} steps were made to fail`);
  assert.equal(s.fdrunc(["ps", "--format", "json", "c"]).succeeds(), `[${s.stateOf().pid}]\n`);
});
