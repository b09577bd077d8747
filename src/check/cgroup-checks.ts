import { cgroupHierarchies, isUnified, visibleDirectory } from "../cgroup/hierarchy.js";
import { C } from "../linux/constants.js";
import { type Check, type Finding, missing, ok, partly } from "./check.js";
import type { Host } from "./host.js";

/** A controller: what it is called in v1 and in v2, where it is something else or nothing there, and what it limits. */
interface Controller {
  readonly v1: string;
  readonly v2?: string;
  /** Why v2 needs no controller for it. */
  readonly builtIn?: string;
  readonly means: string;
  readonly option: string;
}

const resource = (name: string) => `limits: linux.resources.${name}`;

const CONTROLLERS: readonly Controller[] = [
  { v1: "memory", v2: "memory", means: resource("memory"), option: "CONFIG_MEMCG" },
  { v1: "cpu", v2: "cpu", means: resource("cpu"), option: "CONFIG_CGROUP_SCHED" },
  { v1: "cpuset", v2: "cpuset", means: "limits: linux.resources.cpu.cpus and mems", option: "CONFIG_CPUSETS" },
  { v1: "pids", v2: "pids", means: resource("pids"), option: "CONFIG_CGROUP_PIDS" },
  { v1: "blkio", v2: "io", means: resource("blockIO"), option: "CONFIG_BLK_CGROUP" },
  { v1: "hugetlb", v2: "hugetlb", means: resource("hugepageLimits"), option: "CONFIG_CGROUP_HUGETLB" },
  { v1: "rdma", v2: "rdma", means: resource("rdma"), option: "CONFIG_CGROUP_RDMA" },
  {
    v1: "devices",
    builtIn: "a BPF program for each container",
    means: "which devices a container may open: linux.resources.devices",
    option: "CONFIG_CGROUP_DEVICE or CONFIG_CGROUP_BPF",
  },
  { v1: "freezer", builtIn: "all cgroups have it", means: "pause and resume", option: "CONFIG_CGROUP_FREEZER" },
  { v1: "net_cls", means: resource("network.classID"), option: "CONFIG_CGROUP_NET_CLASSID, and cgroup v1" },
  { v1: "net_prio", means: resource("network.priorities"), option: "CONFIG_CGROUP_NET_PRIO, and cgroup v1" },
];

export const CGROUP_CHECKS: readonly Check[] = [
  {
    name: "cgroups",
    means: "limits, and to know all processes of a container",
    advice: "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    required: true,
    look() {
      const all = cgroupHierarchies();
      const unified = all.find(({ version }) => version === 2)?.mountPoint;
      if (all.length === 0) return missing("no hierarchy is mounted");
      if (isUnified(all)) return ok(`v2 at ${unified}`);
      return ok(unified === undefined ? "v1" : `v1, and v2 at ${unified} (hybrid)`);
    },
  },
  ...CONTROLLERS.map(
    (controller): Check => ({
      name: `cgroup controller ${controller.v2 ?? controller.v1}`,
      means: controller.means,
      advice: `start a kernel that has ${controller.option}, and see to it that a hierarchy has the controller`,
      look: (host) => lookAtController(controller, host),
    }),
  ),
  {
    name: "cgroup delegation",
    means: "limits of containers of ordinary users",
    advice: "log in by systemd, or call fdrunc below: systemd-run --user --scope -p Delegate=yes",
    look: lookAtDelegation,
  },
  {
    name: "systemd",
    means: "--systemd-cgroup: cgroups that systemd makes",
    advice: "leave cgroups to fdrunc itself, as without that flag",
    look: ({ list }) =>
      list("/run/systemd").includes("system") ? ok("it has started this machine") : missing("it does not run here"),
  },
];

function lookAtController({ v1, v2, builtIn }: Controller, { read }: Host): Finding {
  const all = cgroupHierarchies();
  const old = all.find(({ controllers }) => controllers.includes(v1));
  if (old !== undefined) return ok(`v1 at ${old.mountPoint}`);
  const unified = all.find(({ version }) => version === 2)?.mountPoint;
  if (unified !== undefined && builtIn !== undefined && isUnified(all)) return ok(`v2: ${builtIn}`);
  const names = read(`${unified}/cgroup.controllers`)?.trim().split(" ") ?? [];
  return v2 !== undefined && names.includes(v2) ? ok(`v2 at ${unified}`) : missing("no hierarchy has it");
}

function lookAtDelegation({ privileged, may, read }: Host): Finding {
  if (privileged) return ok("root may make cgroups everywhere");
  const own = cgroupHierarchies().flatMap((hierarchy) => {
    const directory = visibleDirectory(hierarchy);
    return directory !== undefined && may(directory, C.W_OK) ? [{ ...hierarchy, directory }] : [];
  });
  if (own.length === 0) return missing("no cgroup of the caller's is the caller's to write to");
  const controllers = own.flatMap(({ version, controllers: names, directory }) =>
    version === 1 ? names : (read(`${directory}/cgroup.controllers`)?.trim().split(" ") ?? []),
  );
  const lacking = ["memory", "cpu", "pids"].filter((name) => !controllers.includes(name));
  const found = `${own.map(({ directory }) => directory).join(" ")}: ${controllers.join(" ")}`;
  return lacking.length === 0 ? ok(found) : partly(`${found}, without ${lacking.join(" ")}`);
}
