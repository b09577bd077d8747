import type { CgroupPlan } from "../cgroup/plan-cgroup.js";
import { ANNOTATIONS } from "../config/annotations.js";
import { parseConfig } from "../config/load.js";
import type { Config } from "../generated/config.js";
import { type Compiled, compile } from "../init/compile.js";
import type { Facts } from "../init/facts.js";
import { withFault } from "../init/fault.js";
import { readFile } from "../linux/file.js";
import { absolutePath } from "../linux/path.js";
import { refuseUnknown } from "../seccomp/refuse-unknown.js";
import { countListenFds } from "./caller.js";
import { cgroupFacts, planCgroups } from "./cgroups.js";
import { gatherFacts } from "./facts.js";
import type { CreateOptions } from "./options.js";
import { requireSecurityModules } from "./security-modules.js";

/** A bundle as its config.json describes it. */
export interface Bundle {
  /** The config, and its text as it was read. */
  readonly config: Config;
  readonly text: string;
  /** The bundle's absolute path. */
  readonly bundle: string;
}

/** A container as it is planned, before anything is made. */
export interface Plan extends Bundle {
  /** An absolute path. */
  readonly rootfs: string;
  readonly facts: Facts;
  readonly cgroups: CgroupPlan | undefined;
  readonly compiled: Compiled;
  /** How many descriptors behind the standard three the container keeps. */
  readonly preserveFds: number;
}

/** Reads a bundle's config. Throws Failure. */
export function readBundle(options: Pick<CreateOptions, "bundle" | "config">): Bundle {
  const bundle = absolutePath(options.bundle);
  const file = options.config === undefined ? `${bundle}/config.json` : absolutePath(options.config);
  const text = readFile(file);
  return { config: parseConfig(file, text), text, bundle };
}

/** Reads a bundle's config and compiles it. Touches nothing. Throws Failure. */
export function plan(options: CreateOptions): Plan {
  const read = readBundle(options);
  const { config, bundle } = read;
  requireSecurityModules(config);
  const { linux, annotations = {} } = config;
  if (linux?.seccomp !== undefined && ANNOTATIONS.failUnknownSyscall in annotations) refuseUnknown(linux.seccomp);
  const cgroups = planCgroups(config, options);
  const listening = countListenFds();
  const preserveFds = options.preserveFds + listening;
  const facts = gatherFacts(config, { ...options, preserveFds }, bundle, cgroupFacts(config, cgroups));
  const compiled = compile(listening > 0 ? withSockets(config, listening) : config, facts);
  return {
    ...read,
    rootfs: facts.rootfs,
    facts,
    cgroups,
    compiled: options.fault === undefined ? compiled : withFault(compiled, options.fault),
    preserveFds,
  };
}

/** Tells the container's process of the sockets that it is handed: it is to be the first of its namespace. */
const withSockets = (config: Config, count: number): Config =>
  config.process === undefined
    ? config
    : {
        ...config,
        process: { ...config.process, env: [...(config.process.env ?? []), `LISTEN_FDS=${count}`, "LISTEN_PID=1"] },
      };
