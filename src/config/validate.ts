import type { Config } from "../generated/config.js";
import { CAPABILITIES } from "../linux/capabilities.js";
import { deviceRulesAreKnown, devicesAreComplete } from "./rules/devices.js";
import { annotationsHaveKeys, hostNamesHaveNamespace, rootIsGiven, versionIsSupported } from "./rules/document.js";
import { hooksAreRunnable } from "./rules/hooks.js";
import { intelRdtIsNamed } from "./rules/intel-rdt.js";
import { memoryPolicyIsComplete } from "./rules/memory-policy.js";
import { mountsAreComplete, protectedPathsAreAbsolute } from "./rules/mounts.js";
import { idMappingsHaveNamespace, mountsHaveNamespace, namespacesAreDistinct } from "./rules/namespaces.js";
import { networkDevicesAreNamed } from "./rules/network-devices.js";
import { personalityIsKnown } from "./rules/personality.js";
import { processIsRunnable } from "./rules/process.js";
import { cgroupsPathStaysBelow, resourcesAreInRange, unifiedKeysAreFiles } from "./rules/resources.js";
import { notificationsAreReceived, seccompIsConsistent } from "./rules/seccomp.js";
import { sysctlsHaveNamespace } from "./rules/sysctl.js";
import { timeOffsetsHaveNamespace } from "./rules/time-offsets.js";

/** The rules that a schema cannot say; each throws Failure with the JSON path of what breaks it. */
const RULES: ((config: Config) => void)[] = [
  versionIsSupported,
  rootIsGiven,
  processIsRunnable,
  hooksAreRunnable,
  annotationsHaveKeys,
  namespacesAreDistinct,
  idMappingsHaveNamespace,
  timeOffsetsHaveNamespace,
  mountsHaveNamespace,
  hostNamesHaveNamespace,
  mountsAreComplete,
  protectedPathsAreAbsolute,
  networkDevicesAreNamed,
  sysctlsHaveNamespace,
  devicesAreComplete,
  deviceRulesAreKnown,
  cgroupsPathStaysBelow,
  resourcesAreInRange,
  unifiedKeysAreFiles,
  seccompIsConsistent,
  notificationsAreReceived,
  intelRdtIsNamed,
  memoryPolicyIsComplete,
  personalityIsKnown,
];

/** Checks a configuration that complies with its schema against the specification's further rules. Throws Failure. */
export function checkRules(config: Config): void {
  for (const rule of RULES) rule(config);
}

/** What is odd in a configuration but no error, a line each. */
export function warningsOf({ process }: Config): string[] {
  const warnings: string[] = [];
  for (const [set, names] of Object.entries(process?.capabilities ?? {}) as [string, string[]][])
    names.forEach((name, i) => {
      if (!CAPABILITIES.includes(name))
        warnings.push(`process.capabilities.${set}[${i}]: unknown capability ${JSON.stringify(name)} is left out`);
    });
  return warnings;
}
