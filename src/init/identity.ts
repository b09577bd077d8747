import { ANNOTATIONS } from "../config/annotations.js";
import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, Process } from "../generated/config.js";
import { CAPABILITIES, capabilityMask } from "../linux/capabilities.js";
import { quote } from "../linux/file.js";
import { type Builder, flags, slot, text } from "./builder.js";
import type { Facts } from "./facts.js";
import { compileLimits } from "./limits.js";

/** The capability sets that the process gets: what the config asks for, within what the host permits. */
export interface CapabilitySets {
  readonly bounding: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

/** capabilities(7): effective lies within permitted, ambient within permitted and inheritable. */
export function capabilitySets({ capabilities = {} }: Process, permittedHere: bigint): CapabilitySets {
  const permitted = capabilityMask(capabilities.permitted) & permittedHere;
  const inheritable = capabilityMask(capabilities.inheritable) & permittedHere;
  return {
    bounding: capabilityMask(capabilities.bounding) & permittedHere,
    permitted,
    effective: capabilityMask(capabilities.effective) & permitted,
    inheritable,
    ambient: capabilityMask(capabilities.ambient) & permitted & inheritable,
  };
}

const bit = (name: string): bigint => capabilityMask([name]);

/** The capability that seccomp(2) wants of a caller that may still gain privileges. */
const SYS_ADMIN = bit("CAP_SYS_ADMIN");

const DROP = flags("PR_CAPBSET_DROP");
/** EINVAL: a capability that this kernel does not have yet. */
const IF_KNOWN = { on: { EINVAL: "next" } } as const;

/**
 * Compiles who the process is: capabilities, limits, user, groups, umask, working directory. Where a filter is still to be
 * loaded without no_new_privs, CAP_SYS_ADMIN stays for that, and `dropLast` is the step that ends it.
 */
export function compileIdentity(b: Builder, config: Config, facts: Facts): { dropLast: () => void } {
  const process = config.process as Process;
  const { uid = 0, gid = 0, additionalGids = [], umask } = process.user ?? {};
  const sets = capabilitySets(process, facts.permitted);
  const forFilter = config.linux?.seccomp !== undefined && !process.noNewPrivileges ? SYS_ADMIN : 0n;

  enterDirectory(b, process.cwd, true);
  b.part(dropOthers, sets.bounding.toString(16), "process.capabilities.bounding");
  if (!hasNamespace(config, "user")) compileLimits(b, process);
  const kept = { permitted: sets.permitted | forFilter, effective: sets.effective | forFilter };
  const capabilities = capabilityData({ ...sets, ...kept });
  const groups = keepsGroups(config) ? undefined : additionalGids;
  b.part(become, { uid, gid, groups, umask, capabilities, userNamespace: facts.userNamespace });
  CAPABILITIES.forEach((name, number) => {
    if (!(sets.ambient & (1n << BigInt(number)))) return;
    b.about(`raise ${name} in the ambient set`, "process.capabilities.ambient");
    b.call("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_RAISE"), number, 0, 0]);
  });
  enterDirectory(b, process.cwd, false);
  return {
    dropLast() {
      if (kept.permitted === sets.permitted && kept.effective === sets.effective) return;
      b.about("drop the capability that loading the filter took", "process.capabilities");
      setCapabilities(b, capabilityData(sets));
    },
  };
}

/** Drops the capabilities from the bounding set that are not in a mask, given in hexadecimal. */
function dropOthers(b: Builder, bounding: string): void {
  const mask = BigInt(`0x${bounding}`);
  CAPABILITIES.forEach((name, number) => {
    if (mask & (1n << BigInt(number))) return;
    b.about(`drop ${name} from the bounding set`);
    b.call("prctl", [DROP, number], IF_KNOWN);
  });
}

/** Whom a process becomes. */
interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** The additional groups; undefined leaves them as they are. */
  readonly groups: readonly number[] | undefined;
  readonly umask: number | undefined;
  readonly capabilities: CapabilityData;
  readonly userNamespace: boolean;
}

/** What may be wrong with ids in a user namespace. */
const HINTS = {
  EINVAL: "are all of these ids mapped by linux.uidMappings and linux.gidMappings?",
  EPERM: "additional groups take a linux.gidMappings that newgidmap writes, of more than the user's own group",
};

function become(b: Builder, { uid, gid, groups, umask, capabilities, userNamespace }: Identity): void {
  b.about(`become user ${uid}, group ${gid}`, "process.user", userNamespace ? HINTS : undefined);
  b.call("prctl", [flags("PR_SET_KEEPCAPS"), 1]);
  if (groups !== undefined) setGroups(b, groups, userNamespace);
  b.call("setresgid", [gid, gid, gid]);
  b.call("setresuid", [uid, uid, uid]);
  b.call("prctl", [flags("PR_SET_KEEPCAPS"), 0]);
  b.about("set the umask", "process.user.umask");
  b.call("umask", [umask ?? slot("umask")]);
  b.about("set the capabilities", "process.capabilities");
  setCapabilities(b, capabilities);
  b.call("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_CLEAR_ALL"), 0, 0, 0]);
}

/** Whether the process is to be in the groups that the container's creator is in, as crun's annotation has it. */
export const keepsGroups = ({ annotations = {} }: Config): boolean =>
  annotations[ANNOTATIONS.keepOriginalGroups] === "1";

function setGroups(b: Builder, groups: readonly number[], userNamespace: boolean): void {
  const bytes = new Uint8Array(groups.length * 4);
  groups.forEach((id, i) => {
    new DataView(bytes.buffer).setUint32(i * 4, id, true);
  });
  // Where a user has mapped but the own group, the kernel refuses to change the others (user_namespaces(7)).
  const refused = userNamespace && groups.length === 0 ? ({ on: { EPERM: "next" } } as const) : {};
  b.call("setgroups", [groups.length, { bytes, shown: `[${groups.join(", ")}]` }], refused);
}

/** The three words of capset(2)'s data, in hexadecimal. */
type CapabilityData = readonly string[];

function capabilityData({ effective, permitted, inheritable }: CapabilitySets): CapabilityData {
  const low = (mask: bigint) => BigInt.asUintN(32, mask);
  const high = (mask: bigint) => mask >> 32n;
  return [
    low(effective) | (low(permitted) << 32n),
    low(inheritable) | (high(effective) << 32n),
    high(permitted) | (high(inheritable) << 32n),
  ].map((word) => word.toString(16));
}

function setCapabilities(b: Builder, data: CapabilityData): void {
  const words = data.map((word) => BigInt(`0x${word}`));
  b.call("capset", [{ struct: [{ flags: "_LINUX_CAPABILITY_VERSION_3" }] }, { struct: words }]);
}

/**
 * Enters the working directory: first while still privileged, since it may lie where the user cannot look; if that is
 * refused, again as the user. Then makes sure that it lies inside the root.
 */
function enterDirectory(b: Builder, cwd: string, first: boolean): void {
  b.about(`change the working directory to ${quote(cwd)}`, "process.cwd");
  if (first) {
    b.store(1, "outside");
    b.call("chdir", [text(cwd)], { into: "outside", on: { EACCES: "next", EPERM: "next" } });
    return;
  }
  const [inside, good] = [b.label(), b.label()];
  b.test({ memory: "outside", offset: 0, size: 4 }, 0, { equal: inside });
  b.call("chdir", [text(cwd)]);
  b.bind(inside);
  b.about(`check that the working directory ${quote(cwd)} lies inside the root`, "process.cwd");
  // The kernel names a directory that the root does not lead to "(unreachable)…".
  b.call("getcwd", [b.buffer("directory-name", 4096), 4096]);
  b.test({ memory: "directory-name", offset: 0, size: 1 }, "/".charCodeAt(0), { equal: good });
  b.fail("EXDEV");
  b.bind(good);
}
