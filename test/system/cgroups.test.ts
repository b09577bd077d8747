import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { cgroupHierarchies, isUnified, keysOf } from "../../src/cgroup/hierarchy.js";
import {
  asRoot,
  cgroupOf,
  cgroupsPath,
  defaultParent,
  eventually,
  type FullConfig,
  type Scene,
  SYSTEMD,
  system,
  TAG,
  withCgroups,
} from "./harness.js";

const NEEDS_CGROUPFS = "needs cgroupfs as the manager";
const hierarchies = cgroupHierarchies();
const unified = isUnified(hierarchies);

/** The cgroups of a process in the hierarchies that it was put in, by controllers or name. */
const cgroupsOf = (pid: unknown): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/cgroup`, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(":").slice(1) as [string, string]),
  );

/** Creates a container and returns its process's cgroups in v1's hierarchies, or in v2 where that is all. */
function placesOf(s: Scene, id: string): string[] {
  s.create(id).succeeds();
  const seen = cgroupsOf(s.stateOf(id).pid);
  const expected = hierarchies
    .filter(({ version }) => unified || version === 1)
    .map((hierarchy) => keysOf(hierarchy).join());
  return expected.map((keys) => seen[keys]);
}

/** Where cgroups of relative paths go, likewise: below this process's own; in v2, where that holds processes, beside it. */
const defaultPlaces = (): string[] =>
  hierarchies
    .filter(({ version }) => unified || version === 1)
    .map(({ ownPath }) => (unified ? ownPath.replace(/\/[^/]*$/, "") : ownPath.replace(/^\/$/, "")));

asRoot("cgroupsPath: absolute from the hierarchies' roots, relative and absent from the runtime's default", (s, t) => {
  if (SYSTEMD) return t.skip(NEEDS_CGROUPFS);
  const at = (path: string | undefined) =>
    s.write(({ linux }) => {
      linux.cgroupsPath = path as string;
    });
  at(`/${TAG}/deep/er`);
  assert.deepEqual(new Set(placesOf(s, "absolute")), new Set([`/${TAG}/deep/er`]));
  at(`${TAG}-relative/x`);
  assert.deepEqual(
    placesOf(s, "relative"),
    defaultPlaces().map((own) => `${own}/${TAG}-relative/x`),
  );
  at(undefined);
  assert.deepEqual(
    placesOf(s, `${TAG}-absent`),
    defaultPlaces().map((own) => `${own}/${TAG}-absent`),
  );
  for (const id of ["absolute", "relative", `${TAG}-absent`]) s.fdrunc(["delete", "--force", id]).succeeds();
  // Parents may have been others', so they stay.
  for (const hierarchy of hierarchies)
    for (const parent of [`${hierarchy.mountPoint}/${TAG}/deep`, `${defaultParent(hierarchy)}/${TAG}-relative`])
      if (existsSync(parent)) rmdirSync(parent);
});

withCgroups("limits are set on the container's cgroups", (s, t) => {
  if (unified) return t.skip("needs cgroup v1's controllers");
  s.write(({ linux }) => {
    linux.resources = {
      ...linux.resources,
      memory: { limit: 64 << 20, reservation: 32 << 20, swappiness: 10 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
      pids: { limit: 17 },
      blockIO: { weight: 300 },
    };
  });
  s.create().succeeds();
  const value = (controller: string, file: string) => readFileSync(`${cgroupOf(controller)}/${file}`, "utf8").trim();
  assert.equal(value("memory", "memory.limit_in_bytes"), String(64 << 20));
  assert.equal(value("memory", "memory.soft_limit_in_bytes"), String(32 << 20));
  assert.equal(value("cpu", "cpu.shares"), "512");
  assert.equal(value("cpu", "cpu.cfs_quota_us"), "50000");
  assert.equal(value("cpu", "cpu.cfs_period_us"), "100000");
  assert.equal(value("cpuset", "cpuset.cpus"), "0");
  assert.equal(value("pids", "pids.max"), "17");
});

withCgroups("limits are set on the container's cgroup in v2", (s, t) => {
  if (!unified) return t.skip("needs cgroup v2 alone");
  s.write(({ linux }) => {
    linux.resources = { ...linux.resources, memory: { limit: 64 << 20 }, cpu: { quota: 50_000 }, pids: { limit: 17 } };
  });
  s.create().succeeds();
  const value = (file: string) => readFileSync(`${cgroupOf("")}/${file}`, "utf8").trim();
  assert.equal(value("memory.max"), String(64 << 20));
  assert.equal(value("cpu.max"), "50000 100000");
  assert.equal(value("pids.max"), "17");
});

withCgroups("v2 alone: values of v1 by the usual formulas, and v2's own", (s, t) => {
  if (!unified) return t.skip("needs cgroup v2 alone");
  s.write(({ linux }) => {
    linux.resources = {
      ...linux.resources,
      memory: { limit: 64 << 20, reservation: 32 << 20 },
      cpu: { shares: 512, period: 50_000 },
      pids: { limit: 0 },
      unified: { "memory.high": "50331648", "cgroup.max.depth": "3" },
    };
  });
  s.create().succeeds();
  const value = (file: string) => readFileSync(`${cgroupOf("")}/${file}`, "utf8").trim();
  const files = {
    "memory.max": String(64 << 20),
    "memory.low": String(32 << 20),
    "memory.high": "50331648",
    "cpu.weight": "59",
    "cpu.max": "max 50000",
    "pids.max": "1",
    "cgroup.max.depth": "3",
  };
  assert.deepEqual(Object.fromEntries(Object.keys(files).map((file) => [file, value(file)])), files);
  s.fdrunc(["start", "c"]).succeeds();
  s.waitFor("stopped");
  s.fdrunc(["delete", "c"]).succeeds();
  for (const [key, error] of [
    ["memory.none", /^linux\.resources\.unified\["memory\.none"\]: write "1" to ".*\/memory\.none": /],
    ["none.max", /^linux\.resources\.unified\["none\.max"\]: there is no cgroup controller "none" here$/],
  ] as const) {
    s.write(({ linux }) => {
      linux.resources = { ...linux.resources, unified: { [key]: "1" } };
    });
    assert.match(s.create().fails(), error);
    s.assertNothingLeft();
  }
});

asRoot("v2 alone: who is root in a user namespace makes cgroups below its own, and cannot lift its limits", (s, t) => {
  if (!unified) return t.skip("needs cgroup v2 alone");
  chownSync(s.rootfs, 100_000, 100_000);
  const out = s.sh(
    `cd /sys/fs/cgroup
     mkdir inner && echo 0 > inner/cgroup.procs && echo +pids > cgroup.subtree_control && cat inner/pids.max
     cat /proc/self/cgroup
     (echo max > pids.max) 2>/dev/null || echo refused`,
    ({ linux, mounts }) => {
      const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      linux.namespaces.push({ type: "user" }, { type: "cgroup" });
      Object.assign(linux, { uidMappings: map, gidMappings: map });
      linux.resources.pids = { limit: 20 };
      const hierarchy = mounts.find(({ type }) => type === "cgroup");
      if (hierarchy) hierarchy.options = hierarchy.options?.filter((option) => option !== "ro");
    },
  );
  assert.equal(out, "max\n0::/inner\nrefused\n");
  s.assertNothingLeft();
});

const withLimit = (resources: FullConfig["linux"]["resources"]) => (config: FullConfig) => {
  Object.assign(config.linux.resources, resources);
};

withCgroups("a container runs with a limit of one process, and one more is refused", (s) => {
  s.write((config) => {
    config.process.args = ["true"];
    withLimit({ pids: { limit: 1 } })(config);
  });
  s.run().succeeds();
  s.write((config) => {
    config.process.args = ["sh", "-c", "true & wait; echo here"];
    withLimit({ pids: { limit: 1 } })(config);
  });
  assert.match(s.run().stderr, /fork: Resource temporarily unavailable/);
});

withCgroups("a container runs with a megabyte of memory; one that needs more than it has is killed", (s) => {
  s.write(withLimit({ memory: { limit: 1 << 20 } }));
  s.run().succeeds();
  s.write((config) => {
    config.process.args = ["sh", "-c", "x=x; while :; do x=$x$x; done"];
    withLimit({ memory: { limit: 4 << 20, swap: 4 << 20 } })(config);
  });
  assert.equal(s.run().status, 137);
  s.assertNothingLeft();
});

withCgroups("too little memory for the container itself is told as such", (s) => {
  s.write(withLimit({ memory: { limit: 4096 } }));
  assert.match(s.create().fails(), /memory/);
  s.assertNothingLeft();
});

withCgroups(
  "an init that starts in its cgroups: all that it makes is charged to them, and nothing of the runtime",
  (s) => {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
    });
    s.create().succeeds();
    const { pid } = s.stateOf();
    for (const { version, controllers } of hierarchies) {
      if (version === 2 ? !unified : controllers.length === 0) continue;
      const directory = cgroupOf(version === 2 ? "" : controllers[0]);
      assert.equal(readFileSync(`${directory}/cgroup.procs`, "utf8"), `${pid}\n`, directory);
    }
    // Counted page by page, where VmRSS is off by some.
    eventually(() => {
      const resident = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
      assert.ok(Number(resident) <= 32, `${resident} kB are resident`);
    });
  },
);

withCgroups("a cgroup that is another's is left alone, one that is empty is used", (s, t) => {
  if (SYSTEMD) return t.skip(NEEDS_CGROUPFS);
  mkdirSync(cgroupOf("pids", "shared"));
  const use = (id: string) => {
    s.write((config) => {
      config.process.args = ["sleep", "1000"];
      config.linux.cgroupsPath = cgroupsPath("shared");
    });
    return s.create(id);
  };
  use("first").succeeds();
  assert.match(use("second").fails(), /^make cgroup ".*\/shared": it is there, with 1 process in it/);
  assert.equal(s.status("first"), "created");
});

system("without cgroups, where the host is told to go without", (s) => {
  s.write((config) => {
    config.process.args = ["cat", "/proc/self/cgroup"];
    config.mounts = config.mounts.filter(({ type }) => type !== "cgroup");
    config.linux.resources = {};
  });
  const out = s.fdrunc(["--cgroup-manager", "disabled", "run", "c"]).succeeds();
  assert.doesNotMatch(out, new RegExp(TAG));
});

asRoot("a process is put into a cgroup below its container's, which it manages", (s, t) => {
  const name = "run.oci.delegate-cgroup";
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.annotations[name] = "own";
    config.linux.namespaces.push({ type: "cgroup" });
    config.linux.resources.pids = { limit: 21 };
  });
  if (!unified) {
    assert.equal(s.create().fails(), `annotations["${name}"]: needs cgroup v2 alone`);
    assert.deepEqual(s.leftovers(), []);
    return t.skip("needs cgroup v2 alone");
  }
  s.run("c", "--detach").succeeds();
  assert.match(readFileSync(`/proc/${s.stateOf().pid}/cgroup`, "utf8"), /c(\.scope)?\/own\n$/);
  assert.equal(readFileSync(`${cgroupOf("pids")}/pids.max`, "utf8"), "21\n");
  assert.equal(s.fdrunc(["exec", "c", "cat", "/proc/1/cgroup", "/proc/self/cgroup"]).succeeds(), "0::/own\n0::/\n");
  s.fdrunc(["delete", "--force", "c"]).succeeds();
  s.assertNothingLeft();
});
