import { release } from "node:os";
import { ffi } from "../ffi/driver.js";
import type { Seccomp, SeccompArch, SyscallRule } from "../generated/config.js";

/** What the rule of a profile depends on. */
interface Condition {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
  /** "4.8". */
  readonly minKernel?: string | null;
}

/** A rule of a profile: with conditions. */
interface ConditionalRule extends Omit<SyscallRule, "names" | "args"> {
  readonly names?: readonly string[];
  /** In place of `names`, in old ones. */
  readonly name?: string;
  readonly args?: SyscallRule["args"] | null;
  readonly includes?: Condition | null;
  readonly excludes?: Condition | null;
}

/**
 * A filter as config.json has it; or as docker and podman keep theirs, for all architectures and capabilities
 * (https://docs.docker.com/engine/security/seccomp/).
 */
export interface SeccompProfile extends Omit<Seccomp, "syscalls"> {
  readonly archMap?: readonly {
    readonly architecture: SeccompArch;
    readonly subArchitectures?: readonly SeccompArch[] | null;
  }[];
  readonly syscalls?: readonly ConditionalRule[];
}

/** This machine's architecture, as profiles' conditions and as filters name it. */
const HERE = {
  x86_64: { arch: "amd64", architecture: "SCMP_ARCH_X86_64" },
  aarch64: { arch: "arm64", architecture: "SCMP_ARCH_AARCH64" },
}[ffi.arch];

/** What of a profile holds on this machine for a process with capabilities. */
export function seccompOf(
  profile: SeccompProfile,
  capabilities: readonly string[],
  kernel: string = release(),
): Seccomp {
  const { archMap, syscalls, defaultAction, defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  if (archMap === undefined) return profile as Seccomp;
  const map = archMap.find(({ architecture }) => architecture === HERE.architecture);
  const architectures = map === undefined ? [] : [map.architecture, ...(map.subArchitectures ?? [])];
  const context = { capabilities, kernel };
  const rules = syscalls?.filter(({ includes, excludes }) => holds(includes, excludes, context));
  const given = { defaultErrnoRet, flags, listenerPath, listenerMetadata };
  return {
    defaultAction,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    architectures,
    ...(rules && { syscalls: rules.map(toRule) }),
  };
}

/** All capabilities that a rule includes are needed; one that it excludes is enough to leave it out. */
function holds(
  includes: Condition | null | undefined,
  excludes: Condition | null | undefined,
  { capabilities, kernel }: { capabilities: readonly string[]; kernel: string },
): boolean {
  const has = (capability: string) => capabilities.includes(capability);
  const isExcluded =
    excludes?.arches?.includes(HERE.arch) ||
    excludes?.caps?.some(has) ||
    (excludes?.minKernel && isAtLeast(kernel, excludes.minKernel));
  const arches = includes?.arches ?? [];
  return (
    !isExcluded &&
    (arches.length === 0 || arches.includes(HERE.arch)) &&
    (includes?.caps ?? []).every(has) &&
    (!includes?.minKernel || isAtLeast(kernel, includes.minKernel))
  );
}

/** Whether a kernel's version, "6.1.0-18-amd64", is another one, "4.8", or later. */
function isAtLeast(kernel: string, wanted: string): boolean {
  const [[major, minor], [wantedMajor, wantedMinor]] = [kernel, wanted].map((text) => text.split(".").map(parseFloat));
  return major > wantedMajor || (major === wantedMajor && minor >= (wantedMinor ?? 0));
}

function toRule({ names, name, action, errnoRet, args }: ConditionalRule): SyscallRule {
  return {
    names: [...(names ?? []), ...(name === undefined ? [] : [name])],
    action,
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args && args.length > 0 && { args }),
  };
}
