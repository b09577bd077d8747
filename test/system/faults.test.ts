import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { errnoNumber, errnoText } from "../../src/linux/errno.js";
import { asRoot, FORM, type Scene, system } from "./harness.js";
import { follow, type PlannedStep, planOf, traceInit } from "./trace.js";

const ERRNOS = ["EPERM", "EIO", "ENOMEM", "ENOENT", "EINVAL"];

/** What a failed step's message must be: its place, sentence and number, the call, the errno. */
function told({ says, from, number, call }: PlannedStep, errno: string): string {
  const place = from === undefined ? "" : `${from}: `;
  const made = call === undefined ? "" : `${call}: `;
  return `${place}${says} (step ${number}): ${made}${errnoText(errnoNumber(errno) as number)} (${errno})`;
}

/** Makes a step fail, at `create` or at `start`. Returns the message without its hint. */
function fail(s: Scene, { number }: PlannedStep, errno: string, atStart: boolean): string {
  const flags = ["--fail-step", `${number}:${errno}`];
  const created = s.create("c", ...flags);
  if (!atStart) {
    assert.equal(created.status, 1, `step ${number}`);
    return created.fails();
  }
  created.succeeds();
  const message = s.fdrunc(["start", "c"]).fails();
  assert.equal(s.status(), "stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  return message;
}

/*
 * Which steps the program comes by depends on the host: strace tells. The rest lie on branches not taken: for files that
 * are there already, for calls that fail.
 */
asRoot("each step that is made to fail is told by its sentence, and nothing is left", async (s, t) => {
  if (spawnSync("strace", ["-V"]).status !== 0) return t.skip("needs strace");
  // The first container makes directories that the later ones find.
  s.run().succeeds();
  const steps = planOf(s);
  const path = [1, ...follow(steps, await traceInit(s))];
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  const ready = steps.findIndex(({ text }) => text.includes("<ready>")) + 1;
  const accept = steps.findIndex(({ call }) => call === "accept4") + 1;
  const stride = FORM === "node" ? 12 : 1;
  let failed = 0;
  for (let i = 0; i < path.length; i += stride) {
    const step = steps[path[i] - 1];
    const errno = ERRNOS[i % ERRNOS.length];
    // Between its last word to create and start's first to it, init has nobody to tell.
    if (step.number > ready && step.number <= accept) continue;
    const message = fail(s, step, errno, step.number > accept);
    const expected = told(step, errno);
    assert.ok(message === expected || message.startsWith(`${expected} (`), `${message}\n${expected}`);
    s.assertNothingLeft();
    failed++;
  }
  t.diagnostic(`${failed} of the ${path.length} steps on the way were made to fail, of ${steps.length} in all`);
});

system("an init that fails while nobody listens leaves a stopped container", (s) => {
  const steps = planOf(s);
  const accept = steps.findIndex(({ call }) => call === "accept4") + 1;
  s.create("c", "--fail-step", `${accept}:EMFILE`).succeeds();
  s.waitFor("stopped");
  assert.match(
    s.fdrunc(["start", "c"]).fails(),
    /^cannot start container "c": cannot start a container that has stopped$/,
  );
  s.fdrunc(["delete", "c"]).succeeds();
  s.assertNothingLeft();
});

system("a step on a branch that is not taken does not fail", (s) => {
  const steps = planOf(s);
  const missing = steps.find(({ text }) => text === "fail with ENOENT")?.number;
  s.create("c", "--fail-step", `${missing}:EIO`).succeeds();
  assert.match(
    s.create("d", "--fail-step", `${steps.length + 1}:EIO`).fails(),
    /^--fail-step .*: the steps are numbered from 1 to/,
  );
  assert.match(s.create("d", "--fail-step", "1:ENONSENSE").fails(), /^--fail-step "1:ENONSENSE": not of the form/);
});
