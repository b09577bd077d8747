import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, readFileSync } from "node:fs";
import { arch, getPriority } from "node:os";
import type { MemoryPolicy, Scheduler } from "../../src/generated/config.js";
import { capabilityMask, permittedCapabilities } from "../../src/linux/capabilities.js";
import { asRoot, type FullConfig, type Scene, system, withIds } from "./harness.js";

const mayRaise = (permittedCapabilities() & capabilityMask(["CAP_SYS_NICE"])) !== 0n;

/** The nice value that containers have unless it is set: that of who makes them. */
const OWN_NICE = getPriority();

/** A cgroup v1 has no real-time shares of its own unless its parents have: these containers get no cgroups. */
const UNGROUPED = ["--cgroup-manager", "disabled"];

/** What a tool of the host's says of a created container's process. */
function toldOf(s: Scene, change: (config: FullConfig) => void, ...tool: string[]): string {
  s.write(change);
  s.fdrunc([...UNGROUPED, "create", "c"]).succeeds();
  const { stdout } = spawnSync(tool[0], [...tool.slice(1), String(s.stateOf().pid)], { encoding: "utf8" });
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  return stdout;
}

/** Nice value, static priority and policy of a container's program, as proc_pid_stat(5) numbers them. */
function scheduledAs(s: Scene, scheduler: Scheduler, change: (config: FullConfig) => void = () => {}): number[] {
  s.write((config) => {
    config.process.args = ["cat", "/proc/self/stat"];
    config.process.scheduler = scheduler;
    config.process.user = { uid: 12, gid: 12 };
    change(config);
  });
  const stat = s.fdrunc([...UNGROUPED, "run", "c"]).succeeds();
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [19, 40, 41].map((number) => Number(fields[number - 3]));
}

withIds("a program is scheduled by the policy, nice value and priority of the config", (s, t) => {
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_OTHER", nice: 7 }), [7, 0, 0]);
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_BATCH", nice: 19 }), [19, 0, 3]);
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_IDLE", nice: 5 }), [5, 0, 5]);
  if (!mayRaise) return t.skip("needs CAP_SYS_NICE");
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_OTHER", nice: -20 }), [-20, 0, 0]);
  for (const [policy, number] of [
    ["SCHED_FIFO", 1],
    ["SCHED_RR", 2],
  ] as const) {
    const realTime = () => scheduledAs(s, { policy, priority: 42, flags: ["SCHED_FLAG_RESET_ON_FORK"] });
    assert.deepEqual(realTime(), [OWN_NICE, 42, number]);
  }
});

system("a deadline is set, to the nanosecond", (s, t) => {
  if (!mayRaise) return t.skip("needs CAP_SYS_NICE");
  const told = toldOf(
    s,
    ({ process }) => {
      const flags: Scheduler["flags"] = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"];
      const times = { runtime: 1234567, deadline: 20_000_001, period: 30_000_003 };
      process.scheduler = { policy: "SCHED_DEADLINE", nice: 19, flags, ...times };
    },
    ...["chrt", "-p"],
  );
  assert.match(told, /policy: SCHED_DEADLINE\|SCHED_RESET_ON_FORK$/m);
  assert.match(told, /parameters: 1234567\/20000001\/30000003$/m);
});

system("the program is scheduled, a startContainer hook is not", (s) => {
  const hook = { path: "/bin/sh", args: ["sh", "-c", "cut -d ' ' -f 19,41 /proc/self/stat > /hook"] };
  const scheduled = scheduledAs(s, { policy: "SCHED_BATCH", nice: 3 }, (config) => {
    config.root.readonly = false;
    config.process.user = {};
    config.hooks = { startContainer: [hook] };
  });
  assert.deepEqual(scheduled, [3, 0, 3]);
  assert.equal(readFileSync(`${s.rootfs}/hook`, "utf8"), `${OWN_NICE} 0\n`);
});

system("I/O priorities of each class", (s, t) => {
  const prioritized = (name: "RT" | "BE" | "IDLE", priority: number) =>
    toldOf(
      s,
      ({ process }) => {
        process.ioPriority = { class: `IOPRIO_CLASS_${name}`, priority };
      },
      ...["ionice", "-p"],
    ).trim();
  assert.equal(prioritized("BE", 6), "best-effort: prio 6");
  assert.match(prioritized("IDLE", 3), /^idle/);
  if (!mayRaise) return t.skip("needs CAP_SYS_NICE");
  assert.equal(prioritized("RT", 2), "realtime: prio 2");
});

asRoot("in a user namespace, what takes the host's privileges is set as well", (s, t) => {
  chownSync(s.rootfs, 100_000, 100_000);
  const inUserNamespace = (config: FullConfig) => {
    config.linux.namespaces.push({ type: "user" });
    config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    config.linux.gidMappings = config.linux.uidMappings;
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.process.ioPriority = { class: "IOPRIO_CLASS_RT", priority: 1 };
  };
  if (!mayRaise) return t.skip("needs CAP_SYS_NICE");
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_FIFO", priority: 5 }, inUserNamespace), [OWN_NICE, 5, 1]);
  assert.deepEqual(scheduledAs(s, { policy: "SCHED_BATCH", nice: -3 }, inUserNamespace), [-3, 0, 3]);
  assert.equal(toldOf(s, inUserNamespace, "ionice", "-p").trim(), "realtime: prio 1");
});

asRoot("without the right to it, scheduling is refused by its path and nothing is left", (s, t) => {
  if (spawnSync("setpriv", ["--version"]).status !== 0) return t.skip("needs setpriv");
  const refused = (change: (config: FullConfig) => void) => {
    s.write(change);
    const result = s.fdrunc(["run", "c"], { under: ["setpriv", "--bounding-set=-sys_nice,-sys_resource"] });
    const message = result.fails();
    s.assertNothingLeft();
    return message;
  };
  const fifo = (config: FullConfig) => {
    config.process.scheduler = { policy: "SCHED_FIFO", priority: 1 };
  };
  assert.match(
    refused(fifo),
    /^process\.scheduler: set the scheduling policy to SCHED_FIFO \(step \d+\): sched_setattr: .*EPERM.*CAP_SYS_NICE/,
  );
  assert.match(
    refused(({ process }) => {
      process.scheduler = { policy: "SCHED_IDLE", nice: -1 };
    }),
    /^process\.scheduler\.nice: set the nice value to -1 \(step \d+\): setpriority: .*EACCES.*CAP_SYS_NICE/,
  );
  chownSync(s.rootfs, 100_000, 100_000);
  assert.match(
    refused((config) => {
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      config.linux.gidMappings = config.linux.uidMappings;
      fifo(config);
    }),
    /^process\.scheduler: set the scheduling policy to SCHED_FIFO: sched_setattr: .*EPERM.*CAP_SYS_NICE/,
  );
});

system("the memory policy is the program's; nodes that are not there are refused", (s, t) => {
  if (!readFileSync("/proc/self/status", "utf8").includes("Mems_allowed_list")) return t.skip("needs NUMA");
  const policy = (memoryPolicy: MemoryPolicy) =>
    s
      .sh("cat /proc/self/numa_maps", ({ linux }) => {
        linux.memoryPolicy = memoryPolicy;
      })
      .split(" ")[1];
  const cases: [MemoryPolicy, string | RegExp][] = [
    [{ mode: "MPOL_DEFAULT" }, "default"],
    [{ mode: "MPOL_BIND", nodes: "0" }, "bind:0"],
    [{ mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }, "bind=static:0"],
    [{ mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] }, /^bind=balancing:0$/],
    [{ mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"] }, "interleave=relative:0"],
    [{ mode: "MPOL_PREFERRED", nodes: "0" }, "prefer:0"],
    [{ mode: "MPOL_PREFERRED" }, "local"],
    [{ mode: "MPOL_LOCAL" }, "local"],
  ];
  for (const [memoryPolicy, shown] of cases) {
    const seen = policy(memoryPolicy);
    if (typeof shown === "string") assert.equal(seen, shown);
    else assert.match(seen, shown);
  }
  s.write(({ linux }) => {
    linux.memoryPolicy = { mode: "MPOL_INTERLEAVE", nodes: "1000-1023" };
  });
  assert.match(
    s.run().fails(),
    /^linux\.memoryPolicy: set the memory policy to MPOL_INTERLEAVE of nodes 1000-1023 \(step \d+\): set_mempolicy: .*EINVAL/,
  );
  s.assertNothingLeft();
});

system("modes that only newer kernels have", (s, t) => {
  const policy = (mode: MemoryPolicy["mode"]) => {
    s.write(({ process, linux }) => {
      process.args = ["head", "-n", "1", "/proc/self/numa_maps"];
      linux.memoryPolicy = { mode, nodes: "0" };
    });
    const result = s.run();
    return /set_mempolicy: .*EINVAL/.test(result.stderr) ? undefined : result.succeeds();
  };
  const many = policy("MPOL_PREFERRED_MANY");
  if (many === undefined) return t.skip("needs Linux 5.15");
  assert.match(many, / prefer \(many\):0 /);
  const weighted = policy("MPOL_WEIGHTED_INTERLEAVE");
  if (weighted === undefined) return t.skip("needs Linux 6.9");
  assert.match(weighted, / weighted interleave:0 /);
});

system("the execution domain is the machine's own, or its 32-bit form", (s) => {
  const machine = (domain?: "LINUX" | "LINUX32") =>
    s
      .sh("uname -m; cat /proc/self/personality", ({ linux }) => {
        if (domain !== undefined) linux.personality = { domain };
      })
      .trim()
      .split("\n");
  const own = machine();
  assert.deepEqual(machine("LINUX"), own);
  const [name, bits] = machine("LINUX32");
  assert.notEqual(name, own[0]);
  assert.equal(name, { x64: "i686", arm64: "armv8l" }[arch() as string]);
  assert.equal(bits, "00000008");
});
