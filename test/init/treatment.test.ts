import assert from "node:assert/strict";
import { test } from "node:test";
import { type Parts, steps } from "./steps.js";

/** What the kernel is told of how to treat the process. */
const treatment = (parts: Parts) => steps(/^(process\.(scheduler|ioP)|linux\.(memoryPol|personality))/, parts);

test("scheduling by a struct of 56 bytes, and a nice value that the policy does not take", () => {
  assert.deepEqual(treatment({ process: { scheduler: { policy: "SCHED_BATCH", nice: -2 } } }), [
    "sched_setattr(0, {0x300000038, 0, 0xfffffffe, 0, 0, 0, 0}, 0)",
  ]);
  const flags = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"] as const;
  const scheduler = { policy: "SCHED_RR" as const, priority: 9, nice: 4, flags: [...flags] };
  assert.deepEqual(treatment({ process: { scheduler } }), [
    "setpriority(0, 0, 4)",
    "sched_setattr(0, {0x200000038, 17, 0x900000004, 0, 0, 0, 0}, 0)",
  ]);
  const times = { runtime: 2000, deadline: 2n ** 40n, period: 2n ** 63n };
  assert.deepEqual(treatment({ process: { scheduler: { policy: "SCHED_DEADLINE", ...times } } }), [
    "sched_setattr(0, {0x600000038, 0, 0, 2000, 0x10000000000, 0x8000000000000000, 0}, 0)",
  ]);
});

test("I/O priority: the class above the priority", () => {
  const ioPriority = { class: "IOPRIO_CLASS_BE", priority: 5 } as const;
  assert.deepEqual(treatment({ process: { ioPriority } }), ["ioprio_set(1, 0, 0x4005)"]);
});

test("in a user namespace a privileged runtime sets scheduling, an ordinary one leaves it to init", () => {
  const parts: Parts = {
    process: { scheduler: { policy: "SCHED_IDLE" }, ioPriority: { class: "IOPRIO_CLASS_IDLE" } },
    linux: { namespaces: [{ type: "mount" }, { type: "user" }] },
  };
  assert.deepEqual(treatment(parts), []);
  assert.equal(treatment({ ...parts, facts: { privileged: false } }).length, 2);
});

test("memory policies with and without nodes", () => {
  const policy = (memoryPolicy: object) =>
    treatment({ linux: { namespaces: [{ type: "mount" }], memoryPolicy } as never });
  assert.deepEqual(policy({ mode: "MPOL_LOCAL" }), ["set_mempolicy(MPOL_LOCAL, 0, 0)"]);
  assert.deepEqual(policy({ mode: "MPOL_BIND", nodes: "0-3,7", flags: ["MPOL_F_STATIC_NODES"] }), [
    "set_mempolicy(MPOL_BIND|MPOL_F_STATIC_NODES, <0-3,7>, 65)",
  ]);
  assert.deepEqual(policy({ mode: "MPOL_INTERLEAVE", nodes: "64" }), ["set_mempolicy(MPOL_INTERLEAVE, <64>, 129)"]);
});

test("the execution domain", () => {
  const linux = { namespaces: [{ type: "mount" }], personality: { domain: "LINUX32" } };
  assert.deepEqual(treatment({ linux } as never), ["personality(PER_LINUX32)"]);
});
