import { member } from "../config/explain.js";
import type { Resources } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { type Controller, refusal, type Setting } from "./setting.js";
import { V1 } from "./settings-v1.js";
import { V2 } from "./settings-v2.js";

/** Which controllers can be had where. */
export interface Controllers {
  /** Those of v1 hierarchies; none where cgroup v2 has them all. */
  readonly v1: readonly string[];
  /** Those of cgroup v2, where that is mounted. */
  readonly v2: readonly string[] | undefined;
}

/** A setting, and which of the container's cgroups it is for: that of a v1 controller, or "" for v2. */
export interface PlacedSetting extends Setting {
  cgroup: string;
}

/** The part of the resources that each controller serves. */
const TOPICS: Record<Controller, keyof Resources> = {
  memory: "memory",
  cpu: "cpu",
  cpuset: "cpu",
  pids: "pids",
  blkio: "blockIO",
  hugetlb: "hugepageLimits",
  net_cls: "network",
  net_prio: "network",
  rdma: "rdma",
};

/**
 * Translates resources, all but devices, to what is written where, in this order.
 *
 * @throws Failure by JSON path for what cannot be had here
 */
export function settingsFor(resources: Resources, controllers: Controllers): PlacedSetting[] {
  const placed: PlacedSetting[] = [];
  const place = (setting: Setting, controller: string, cgroup: string | undefined) => {
    const { property, file, otherwise } = setting;
    if (file.includes("/")) throw refusal(property, `${quote(file)} is not the name of a cgroup file`);
    if (cgroup !== undefined) placed.push({ ...setting, cgroup });
    else if (otherwise !== "nothing")
      throw refusal(property, `there is no cgroup controller ${quote(controller)} here`);
  };
  for (const name in TOPICS) {
    const controller = name as Controller;
    if (resources[TOPICS[controller]] === undefined) continue;
    const inV1 = controllers.v1.includes(controller);
    const inV2 = !inV1 && (controllers.v2?.includes(controller === "blkio" ? "io" : controller) ?? false);
    const settings = inV2 || controllers.v1.length === 0 ? V2 : V1;
    for (const setting of settings[controller](resources)) {
      if (setting) place(setting, controller, inV1 ? controller : inV2 ? "" : undefined);
    }
  }
  for (const [file, content] of Object.entries(resources.unified ?? {})) {
    const controller = file.slice(0, file.indexOf("."));
    // Files of the cgroup itself need no controller.
    const cgroup = controllers.v2 && (controller === "cgroup" || controllers.v2.includes(controller)) ? "" : undefined;
    // The kernel takes one line at a time.
    for (const text of content.split("\n")) {
      if (text !== "") place({ property: member("unified", file), file, text }, controller, cgroup);
    }
  }
  return placed;
}
