import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import { parseConfig } from "../config/load.js";
import type { Config } from "../generated/config.js";
import { type Compiled, compile } from "../init/compile.js";
import type { Facts } from "../init/facts.js";
import { withFault } from "../init/fault.js";
import { readFile } from "../linux/file.js";
import { absolutePath } from "../linux/path.js";
import { cgroupFacts, planCgroups } from "./cgroups.js";
import { gatherFacts } from "./facts.js";
import type { CreateOptions } from "./options.js";

/** A container as it is planned, before anything is made. */
export interface Plan {
  /** The config, and its text as it was read. */
  readonly config: Config;
  readonly text: string;
  /** Absolute paths. */
  readonly bundle: string;
  readonly rootfs: string;
  readonly facts: Facts;
  readonly cgroups: CgroupPlan | undefined;
  readonly compiled: Compiled;
}

/** Reads a bundle's config and compiles it. Touches nothing. Throws Failure. */
export function plan(options: CreateOptions): Plan {
  const bundle = absolutePath(options.bundle);
  const file = options.config === undefined ? `${bundle}/config.json` : absolutePath(options.config);
  const text = readFile(file);
  const config = parseConfig(file, text);
  const cgroups = planCgroups(config, options);
  const facts = gatherFacts(config, options, bundle, cgroupFacts(config, cgroups));
  const compiled = compile(config, facts);
  return {
    config,
    text,
    bundle,
    rootfs: facts.rootfs,
    facts,
    cgroups,
    compiled: options.fault === undefined ? compiled : withFault(compiled, options.fault),
  };
}
