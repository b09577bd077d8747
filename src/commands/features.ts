import type { Command } from "commander";
import { ANNOTATIONS } from "../config/annotations.js";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../config/rules/memory-policy.js";
import { NUMBER } from "../config/version.js";
import type {
  MemoryPolicyFlag,
  MemoryPolicyMode,
  NamespaceType,
  SeccompAction,
  SeccompArch,
  SeccompFlag,
  SeccompOperator,
} from "../generated/config.js";
import type { Features } from "../generated/features.js";
import { NAMESPACE_FLAGS } from "../init/compile-spawn.js";
import { mountOptionNames } from "../init/mount-options.js";
import { CAPABILITIES } from "../linux/capabilities.js";
import { ACTIONS, ARCHITECTURES, FLAGS, OPERATORS } from "../seccomp/vocabulary.js";
import { print } from "./print.js";
import { SPEC_VERSION } from "./version.js";

export function defineFeatures(program: Command): void {
  program
    .command("features")
    .description("print what is supported, as JSON")
    .action(() => {
      print(`${JSON.stringify(features(), null, 4)}\n`);
    });
}

/** What is supported (features.md). */
function features(): Features {
  const flags = Object.keys(FLAGS) as SeccompFlag[];
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: SPEC_VERSION,
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: Object.keys(NAMESPACE_FLAGS).sort() as NamespaceType[],
      capabilities: [...CAPABILITIES],
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: Object.keys(ACTIONS) as SeccompAction[],
        operators: Object.keys(OPERATORS) as SeccompOperator[],
        archs: Object.keys(ARCHITECTURES) as SeccompArch[],
        knownFlags: flags,
        supportedFlags: flags,
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: Object.keys(MEMORY_POLICY_MODES) as MemoryPolicyMode[],
        flags: Object.keys(MEMORY_POLICY_FLAGS) as MemoryPolicyFlag[],
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: { "io.github.fdrunc.version": NUMBER },
    // What the first names, criu reads and obeys as root.
    potentiallyUnsafeConfigAnnotations: ["org.criu.config", ...Object.values(ANNOTATIONS)],
  };
}
