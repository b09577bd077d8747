import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Cgroup } from "../../src/cgroup/cgroup.js";
import { makeCgroup } from "../../src/cgroup/make-cgroup.js";
import { planCgroup } from "../../src/cgroup/plan-cgroup.js";
import { placeApart, rejoin, setApart } from "../../src/cgroup/set-apart.js";
import { processesIn } from "../../src/cgroup/tree.js";
import { enter, hostHierarchies, isDirectory, ownParent } from "./playground.js";

/** A cgroup of v1's pids controller alone, of whose processes all but one show only when looked for again. */
class Growing extends Cgroup {
  #looked = false;

  override processes(): number[] {
    const all = super.processes();
    const shown = this.#looked ? all : all.slice(0, 1);
    this.#looked = true;
    return shown;
  }
}

test("processes that are made meanwhile are set apart, too, and all are put back", async (t) => {
  const hierarchies = hostHierarchies(t, { v1: ["pids"], v2: [] });
  if (!hierarchies) return;
  const plan = planCgroup(hierarchies, { id: "c", cgroupsPath: `${ownParent(t, hierarchies)}/c` });
  makeCgroup(plan);
  const { pids } = plan.cgroup.paths;
  const cgroup = new Growing({ pids });
  const { pid = 0 } = await enter(t, cgroup, "sleep 60 & sleep 60 & wait");
  await eventually(() => processesIn(pids).length === 3);
  const all = processesIn(pids).sort();
  const own = placeApart(cgroup, pid) as string;
  t.after(() => rejoin(own));
  setApart(cgroup, own);
  assert.deepEqual(processesIn(own).sort(), all);
  rejoin(own);
  assert.ok(!isDirectory(own));
  assert.deepEqual(processesIn(pids).sort(), all);
  rejoin(own);
});

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; !check(); i++) {
    assert.ok(i < 3000, "it does not come to that");
    await setTimeout(10);
  }
}

test("a container that has a cgroup v2 of its own, or none at all, is not set apart", () => {
  assert.equal(placeApart(new Cgroup({ pids: "/a", "": "/b" }), process.pid), undefined);
  assert.equal(placeApart(new Cgroup({}), process.pid), undefined);
});
