import type { Config } from "../generated/config.js";
import { capabilityMask } from "../linux/capabilities.js";
import { annotationsAreUnderstood } from "./rules/annotations.js";
import { deviceRulesAreKnown, devicesAreComplete } from "./rules/devices.js";
import { hostNamesHaveNamespace, rootIsGiven, versionIsSupported } from "./rules/document.js";
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
  annotationsAreUnderstood,
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

/** What is odd in a configuration but no error, a line each; `permitted` are the capabilities that can be granted. */
export const warningsOf = (config: Config, permitted: bigint): string[] => [
  ...capabilityWarnings(config, permitted),
  ...mountWarnings(config),
];

/** config.md, "capabilities": what cannot be granted is logged as a warning. */
function capabilityWarnings({ process }: Config, permitted: bigint): string[] {
  const names = new Set(Object.values(process?.capabilities ?? {}).flat() as string[]);
  const left = [...names].filter((name) => (capabilityMask([name]) & permitted) === 0n);
  return left.length === 0
    ? []
    : [`process.capabilities: unknown or not to be had here, so left out: ${left.join(", ")}`];
}

/** config.md, "mounts": destinations should be absolute. */
const mountWarnings = ({ mounts = [] }: Config): string[] =>
  mounts.flatMap(({ destination }, i) =>
    destination.startsWith("/")
      ? []
      : [`mounts[${i}].destination: ${JSON.stringify(destination)} is relative, and taken to start at "/"`],
  );
