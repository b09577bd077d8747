import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { cgroupHierarchies, type Hierarchy, isUnified, keysOf } from "../../src/cgroup/hierarchy.js";
import { cgroupDirectory, cgroupLocation } from "../../src/cgroup/location.js";
import { Failure } from "../../src/linux/failure.js";

const OTHERS = [
  "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
  "23 22 0:21 / /sys rw shared:7 - sysfs sysfs rw",
  "24 23 0:24 / /sys/fs/cgroup rw shared:8 - tmpfs tmpfs rw,mode=755",
];

/** The hierarchies of a made-up process. */
function hierarchiesOf(t: TestContext, cgroup: string[], mountinfo: string[]): Hierarchy[] {
  const proc = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(proc, { recursive: true }));
  writeFileSync(join(proc, "cgroup"), `${cgroup.join("\n")}\n`);
  writeFileSync(join(proc, "mountinfo"), `${[...OTHERS, ...mountinfo].join("\n")}\n`);
  return cgroupHierarchies(proc);
}

test("v1 beside v2: controllers mounted together, names, and several mounts of one hierarchy", (t) => {
  const found = hierarchiesOf(
    t,
    [
      "5:name=systemd:/user.slice",
      "4:cpu,cpuacct:/user.slice",
      "3:net_prio:/unmounted",
      "2:cpuset:/",
      "0::/user.slice/session.scope",
    ],
    [
      "30 24 0:30 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate",
      "31 24 0:31 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd",
      "32 24 0:32 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct",
      "33 22 0:32 / /elsewhere rw shared:12 - cgroup cgroup rw,cpu,cpuacct",
      "34 24 0:33 / /sys/fs/cgroup/cpuset rw shared:13 - cgroup cgroup rw,cpuset,clone_children",
    ],
  );
  assert.deepEqual(
    found.map((hierarchy) => [keysOf(hierarchy), hierarchy.mountPoint, hierarchy.ownPath]),
    [
      [[""], "/sys/fs/cgroup/unified", "/user.slice/session.scope"],
      [["name=systemd"], "/sys/fs/cgroup/systemd", "/user.slice"],
      [["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct", "/user.slice"],
      [["cpuset"], "/sys/fs/cgroup/cpuset", "/"],
    ],
  );
  assert.equal(isUnified(found), false);
});

test("v2 alone is unified, also beside a v1 hierarchy without controllers", (t) => {
  const v2 = "30 23 0:30 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate";
  const systemd = "31 22 0:31 / /opt/systemd rw - cgroup cgroup rw,none,name=systemd";
  assert.equal(isUnified(hierarchiesOf(t, ["0::/init.scope"], [v2])), true);
  assert.equal(isUnified(hierarchiesOf(t, ["1:name=systemd:/", "0::/init.scope"], [v2, systemd])), true);
});

test("a host without cgroups has none", (t) => {
  const found = hierarchiesOf(t, ["0::/"], []);
  assert.deepEqual(found, []);
  assert.equal(isUnified(found), false);
});

const hierarchy = (version: 1 | 2, ownPath: string, root = "/"): Hierarchy => ({
  version,
  controllers: [],
  mountPoint: "/mnt",
  root,
  ownPath,
});

const directory = (of: Hierarchy, cgroupsPath: string | undefined): string =>
  cgroupDirectory(of, cgroupLocation(cgroupsPath, "id"));

test("an absolute path starts at the mount point", () => {
  assert.equal(directory(hierarchy(1, "/own"), "/a/b"), "/mnt/a/b");
  assert.equal(directory(hierarchy(2, "/own"), "//a/./b/"), "/mnt/a/b");
  assert.equal(directory(hierarchy(1, "/outer/own", "/outer"), "/a"), "/mnt/a");
});

test("a relative path, and the id without one, start at the own cgroup, in v2 beside it", () => {
  assert.equal(directory(hierarchy(1, "/own"), "a/b"), "/mnt/own/a/b");
  assert.equal(directory(hierarchy(1, "/"), undefined), "/mnt/id");
  assert.equal(directory(hierarchy(1, "/own"), ""), "/mnt/own/id");
  assert.equal(directory(hierarchy(1, "/outer/own", "/outer"), "a"), "/mnt/own/a");
  assert.equal(directory(hierarchy(1, "/outer", "/outer"), "a"), "/mnt/a");
  assert.equal(directory(hierarchy(2, "/slice/own"), "a"), "/mnt/slice/a");
  assert.equal(directory(hierarchy(2, "/own"), "a"), "/mnt/a");
  assert.equal(directory(hierarchy(2, "/"), "a"), "/mnt/a");
});

test("an own cgroup outside of the mount has no place for a relative path", () => {
  for (const [own, root] of [
    ["/other", "/outer"],
    ["/outermost", "/outer"],
    ["/../other", "/"],
  ]) {
    assert.throws(
      () => directory(hierarchy(1, own, root), "a"),
      /^Failure: the runtime's own cgroup ".*" is not visible/,
    );
  }
});

test("paths that lead out, name no cgroup, or are systemd's are refused by name", () => {
  const cases: [path: string, cause: RegExp][] = [
    ["/a/../b", /has "\.\." in it$/],
    ["../a", /has "\.\." in it$/],
    ["/a/..", /has "\.\." in it$/],
    ["/", /names no cgroup below the root$/],
    ["./", /names no cgroup below the root$/],
    ["system.slice:fdrunc:x", /is of systemd's form \(it needs --systemd-cgroup\)$/],
    ["::x", /is of systemd's form/],
  ];
  for (const [path, cause] of cases) {
    assert.throws(
      () => cgroupLocation(path, "id"),
      (error) => {
        assert.ok(error instanceof Failure);
        assert.ok(error.message.startsWith(`linux.cgroupsPath: ${JSON.stringify(path)}: `), error.message);
        assert.match(error.message, cause);
        return true;
      },
    );
  }
  assert.equal(cgroupLocation("a:b/c", "id").path, "a:b/c");
  assert.equal(cgroupLocation("..a/b..", "id").path, "..a/b..");
});
