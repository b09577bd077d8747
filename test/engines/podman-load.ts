import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { atOnce } from "./at-once.js";
import { IMAGE, type Podman } from "./podman.js";
import { LONG, succeeds } from "./suite.js";

const FDRUNC = { name: "fdrunc", path: "/usr/local/bin/fdrunc" };
const CRUN = { name: "crun" };

/** Where containers leave something beside processes, mounts, network interfaces and cgroups. */
const DIRECTORIES = ["/run/fdrunc", "/run/netns", "/run/containers/storage/overlay-containers"];

/** Tests of many containers, and of what is left when programs are killed. */
export function loadTests(skip: string | false, engine: () => Podman): void {
  const count = LONG ? 1000 : 24;
  test(`podman: ${count} short containers, 8 at a time`, { skip }, async () => {
    const p = engine();
    // The first one makes what stays: podman's lock file and the bridge, which goes with the last container.
    succeeds(p.run(FDRUNC, ["--network=bridge"], "true"));
    const before = p.place.census(DIRECTORIES);
    await atOnce(8, count, async (i) => {
      const network = i % 4 === 0 ? "bridge" : "none";
      const args = p.create(
        FDRUNC,
        "run",
        "--rm",
        `--network=${network}`,
        IMAGE,
        "sh",
        "-c",
        `echo ${i}; exit ${i % 256}`,
      );
      const { status, stdout, stderr } = await p.place.start(["podman", ...args]).ended;
      assert.deepEqual({ status, stdout, stderr }, { status: i % 256, stdout: `${i}\n`, stderr: "" });
    });
    await settles(p, before);
  });

  const rounds = LONG ? 60 : 8;
  test(`podman: the time of ${rounds} runs, with fdrunc and with crun in turn`, { skip }, async (t) => {
    const p = engine();
    const times = new Map([FDRUNC, CRUN].map((runtime) => [runtime, [] as number[]]));
    for (let i = 0; i < rounds; i++)
      for (const [runtime, list] of times) {
        const start = process.hrtime.bigint();
        const { status, stderr } = p.run(runtime, [], "true");
        if (status !== 0 && runtime === CRUN) return t.skip(`needs a crun that works here: ${stderr.trim()}`);
        assert.equal(status, 0, stderr);
        list.push(Number(process.hrtime.bigint() - start) / 1e6);
      }
    const [fdrunc, crun] = [...times.values()].map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
    t.diagnostic(`medians in ms: fdrunc ${fdrunc.toFixed(1)}, crun ${crun.toFixed(1)}: ${(fdrunc / crun).toFixed(3)}`);
    // A loaded machine makes a few runs differ by chance.
    assert.ok(fdrunc <= (LONG ? 1 : 1.5) * crun);
  });

  const kills = LONG ? 100 : 5;
  for (const [victim, attack] of Object.entries(ATTACKS))
    test(`podman: ${kills} times ${victim} is killed, and no container is lost or left`, { skip }, async (t) => {
      const p = engine();
      try {
        p.start(FDRUNC);
        const before = p.place.census(DIRECTORIES);
        let unknown = 0;
        for (let i = 0; i < kills; i++) {
          await attack(p);
          p.podman("rm", "--force", "--ignore", "--time=0", "k");
          unknown += removeUnknown(p);
          await settles(p, before);
        }
        t.diagnostic(`${unknown} containers that podman did not know of were removed by fdrunc`);
        assert.equal(p.ok("exec", "c", "echo", "there"), "there\n");
      } finally {
        p.tidy();
      }
    });
}

/** Ways to kill what makes a container "k", at a random moment; by what is killed. */
const ATTACKS: Record<string, (p: Podman) => Promise<void>> = {
  podman: (p) => killProcess(p, /^podman .*--name=k/),
  conmon: (p) => killProcess(p, /^\/usr\/bin\/conmon .*-n k /),
  // A random time, up to some times as long as it takes.
  async fdrunc(p) {
    const script = p.place.path("killed");
    const time = (Math.random() * 0.06).toFixed(4);
    const kill = `case "$*" in *create*|*start*) exec timeout -s KILL ${time} ${FDRUNC.path} "$@";; esac`;
    writeFileSync(script, `#!/bin/sh\n${kill}\nexec ${FDRUNC.path} "$@"\n`);
    chmodSync(script, 0o755);
    p.call(p.create({ name: script }, "run", "--detach", "--name=k", IMAGE, "sleep", "1000"));
  },
};

async function killProcess(p: Podman, pattern: RegExp): Promise<void> {
  const { ended } = p.place.start(["podman", ...p.create(FDRUNC, "run", "--name=k", IMAGE, "sleep", "1000")]);
  for (const end = Date.now() + 10_000; find(p, pattern).length === 0 && Date.now() < end; ) await pause(5);
  await pause(Math.random() * 400);
  for (const pid of find(p, pattern)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  p.podman("rm", "--force", "--ignore", "--time=0", "k");
  await ended;
}

/**
 * Removes containers that fdrunc has and podman does not know: podman writes down that one is created when that is done,
 * and does not have it removed if it was killed before, with whatever runtime. Returns how many.
 */
function removeUnknown(p: Podman): number {
  const known = p.ok("ps", "--all", "--quiet", "--no-trunc").split("\n");
  const ids = succeeds(p.place.run([FDRUNC.path, "list", "--quiet"])).split("\n");
  const unknown = ids.filter((id) => id !== "" && !known.includes(id));
  for (const id of unknown) succeeds(p.place.run([FDRUNC.path, "delete", "--force", id]));
  return unknown.length;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The processes whose command is such. */
const find = (p: Podman, pattern: RegExp): number[] =>
  p.place
    .processes()
    .filter(({ command }) => pattern.test(command))
    .map(({ pid }) => pid);

/** Asserts that nothing is there that was not before; what ends by itself is given half a minute. */
async function settles(p: Podman, before: readonly string[]): Promise<void> {
  const more = () => p.place.census(DIRECTORIES).filter((line) => !before.includes(line));
  for (const end = Date.now() + 30_000; more().length > 0 && Date.now() < end; ) await pause(50);
  assert.deepEqual(more(), []);
}
