import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hierarchy } from "../../src/cgroup/hierarchy.js";
import { ownerOf, shownHierarchies } from "../../src/container/cgroups.js";
import type { Config, Mount } from "../../src/generated/config.js";

const CGROUP: Mount = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "rw"] };

/** A config with a cgroup namespace and its hierarchy mounted writable, and changed. */
function config(change: (config: Config & Required<Pick<Config, "linux" | "mounts">>) => void = () => {}): Config {
  const written = {
    ociVersion: "1.3.0",
    process: { cwd: "/", args: ["true"], user: { uid: 7, gid: 8 } },
    mounts: [{ ...CGROUP }],
    linux: { namespaces: [{ type: "cgroup" as const }] } as Config["linux"] & object,
  };
  change(written);
  return written;
}

test("the cgroup's owner is the process's user, by the host's number", () => {
  assert.equal(ownerOf(config()), 7);
  assert.equal(ownerOf({ ...config(), process: { cwd: "/" } }), 0);
  const mapped = config(({ linux }) => {
    linux.namespaces?.push({ type: "user" });
    linux.uidMappings = [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 100_000, size: 65_536 },
    ];
  });
  assert.equal(ownerOf(mapped), 100_006);
  assert.equal(ownerOf({ ...mapped, process: { cwd: "/" } }), 1000);
});

test("it has no owner of its own unless its namespace is new and its hierarchy is mounted writable", () => {
  const without: Record<string, Config> = {
    "no cgroup namespace": config(({ linux }) => linux.namespaces?.pop()),
    "a joined one": config(({ linux }) => {
      linux.namespaces = [{ type: "cgroup", path: "/proc/1/ns/cgroup" }];
    }),
    "a joined user namespace": config(({ linux }) => {
      linux.namespaces?.push({ type: "user", path: "/proc/1/ns/user" });
    }),
    "no mount": config(({ mounts }) => mounts.pop()),
    "a mount elsewhere": config(({ mounts }) => {
      mounts[0].destination = "/sys/fs/cgroups";
    }),
    "a read-only one": config(({ mounts }) => {
      mounts[0].options = ["ro"];
    }),
  };
  for (const [what, written] of Object.entries(without)) assert.equal(ownerOf(written), undefined, what);
});

const hierarchy = (version: 1 | 2, controllers: string[], name?: string): Hierarchy => ({
  version,
  controllers,
  ...(name !== undefined && { name }),
  mountPoint: "/proc",
  root: "/",
  ownPath: "/",
});

test("a mount of type cgroup shows v2 where that has all controllers, also beside a named hierarchy of v1", () => {
  const [v2, memory, systemd] = [hierarchy(2, []), hierarchy(1, ["memory"]), hierarchy(1, [], "systemd")];
  assert.equal(shownHierarchies([v2], []).version, 2);
  assert.equal(shownHierarchies([systemd, v2], []).version, 2);
  assert.equal(shownHierarchies([memory, systemd, v2], []).version, 1);
  assert.deepEqual(shownHierarchies([systemd, v2], []).hierarchies, [
    { directory: "", options: [""], path: "/proc", own: false },
  ]);
});
