import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import { hasNamespace, makesNamespace } from "../config/rules/namespaces.js";
import { notifies } from "../config/rules/seccomp.js";
import { ffi } from "../ffi/driver.js";
import type { Config, Hook, Process, Seccomp, SeccompFlag } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { PASSED, type Program } from "../machine/program.js";
import { compileSeccomp, filterFlags } from "../seccomp/compile.js";
import { FLAGS } from "../seccomp/vocabulary.js";
import { Builder, flags, GO_ON, slot, text } from "./builder.js";
import { compileLauncher, joinsFromOutside } from "./compile-launcher.js";
import { compileExecutableCheck, compileExecute } from "./execute.js";
import { type Facts, input } from "./facts.js";
import { compileIdentity } from "./identity.js";
import { compileLabels, isLabelled } from "./labels.js";
import { bringLoopbackUp } from "./loopback.js";
import { compileMemoryPolicy } from "./memory-policy.js";
import { send, sendNumber, wait } from "./message.js";
import { compileMaskedPaths, compileReadonlyPaths } from "./paths.js";
import { makeProcfs, openProcfs } from "./procfs.js";
import { compileRootfs, compileRootMount } from "./rootfs.js";
import { compileScheduling } from "./scheduling.js";
import { compileSysctl } from "./sysctl.js";
import { compileTerminal } from "./terminal.js";
import { compileTimeEntry, compileTimeNamespace } from "./time-namespace.js";

/** A compiled container. Its steps are numbered through: the launcher's first, then init's. */
export interface Compiled {
  /** Starts init; runs in the runtime's process and in what becomes init's. */
  readonly launcher: Program;
  readonly init: Program;
  /** What linux.seccomp was compiled to, unless that was known. */
  readonly filter?: Uint8Array;
}

/**
 * Compiles a container: the programs that make its init and that this runs, from its first instruction to the user's
 * program. The config must have been validated. Throws Failure where something in it cannot be done.
 */
export function compile(config: Config, facts: Facts): Compiled {
  const complete = withFilter(config, facts);
  return {
    launcher: compileLauncher(config, complete),
    init: compileInit(config, complete),
    ...(complete !== facts && { filter: complete.filter }),
  };
}

/** Facts with the filter that linux.seccomp compiles to, where there is one. Throws Failure. */
export const withFilter = ({ linux }: Config, facts: Facts): Facts =>
  linux?.seccomp === undefined || facts.filter !== undefined
    ? facts
    : { ...facts, filter: compileSeccomp(linux.seccomp, ffi.arch) };

function compileInit(config: Config, facts: Facts): Program {
  const b = new Builder(needsManyDescriptors(config));
  b.part(closeStrangers, facts.preserveFds);
  enterCgroups(b, facts);
  compileTimeNamespace(b, config);
  joinNamespaces(b, config);
  if (makesNamespace(config, "network")) b.part(bringLoopbackUp, null, "linux.namespaces");
  waitForRuntime(b, config, facts);
  startSession(b, facts);
  compileRootfs(b, config, facts);
  compileTerminal(b, config);
  nameHost(b, config);
  makeProcfs(b, config);
  compileSysctl(b, config);
  compileReadonlyPaths(b, config);
  compileMaskedPaths(b, config);
  compileRootMount(b, config);
  // What opens a descriptor from here on finds a low number, whatever limit the process is given.
  b.about("close the root");
  b.close("root");
  if (config.process !== undefined) compileProcess(b, config, config.process, facts);
  else b.part(waitForStart, null);
  return b.finish();
}

/**
 * Compiles a hook that is executed from the container's own files: confined as the container's process is, since what
 * lies there is not to be trusted more. It starts in the container's namespaces and cgroup v2. `from` is the hook's
 * JSON path.
 */
export function compileConfinedHook(config: Config, hook: Hook, from: string, facts: Facts): Program {
  const b = new Builder();
  b.part(closeStrangers, facts.preserveFds);
  enterCgroups(b, facts);
  if (hasNamespace(config, "time")) compileTimeEntry(b, { what: quote(hook.path), from });
  const process = { ...(config.process ?? {}), cwd: "/", args: hook.args ?? [hook.path], env: hook.env ?? [] };
  if (isLabelled(process)) openProcfs(b);
  const { dropLast } = compileIdentity(b, { ...config, process }, facts);
  confine(b, config, process, withFilter(config, facts), dropLast);
  b.about(`exec ${quote(hook.path)}`, from);
  b.call("execve", [text(hook.path), { strings: process.args }, { strings: process.env }]);
  return b.finish();
}

/** Whether a config's mounts and paths, a few descriptors each, come near the number that a process usually may open. */
function needsManyDescriptors({ mounts = [], linux = {} }: Config): boolean {
  const { maskedPaths = [], readonlyPaths = [], devices = [] } = linux;
  return mounts.length + maskedPaths.length + readonlyPaths.length + devices.length > 100;
}

/** From here on nothing of the runtime's is open in what is executed next, whatever is opened by mistake. */
export function closeStrangers(b: Builder, preserveFds: number): void {
  b.about("mark all but the standard streams to be closed on exec");
  b.call("close_range", [3 + preserveFds, 0xffffffff, flags("CLOSE_RANGE_CLOEXEC")]);
  b.about("block no signals");
  b.call("rt_sigprocmask", [flags("SIG_SETMASK"), { struct: [0] }, 0, 8]);
  // ptrace(2): from inside, this process cannot be looked into before it is the user's.
  b.about("keep others from tracing init");
  b.call("prctl", [flags("PR_SET_DUMPABLE"), 0]);
  b.about("clear the umask while files are made");
  b.call("umask", [0], { into: "umask" });
}

/** A thread that moves itself need not wait for all others of the system to come to rest, as a moved one does. */
export function enterCgroups(b: Builder, { cgroup }: Facts): void {
  for (const name of cgroup.tasks) b.part(enterCgroup, name, "linux.cgroupsPath");
}

function enterCgroup(b: Builder, name: string): void {
  b.about(`enter the ${name} cgroup`);
  b.slot(input.tasks(name));
  b.call("write", [slot(input.tasks(name)), ZERO, 1]);
  b.close(input.tasks(name));
}

const ZERO = { bytes: ffi.encode("0"), shown: '"0"' };

const JOINED: Record<string, string> = {
  network: "CLONE_NEWNET",
  ipc: "CLONE_NEWIPC",
  uts: "CLONE_NEWUTS",
  cgroup: "CLONE_NEWCGROUP",
  mount: "CLONE_NEWNS",
};

/** Joins namespaces given by path, and makes those that cannot be made when the process is. */
function joinNamespaces(b: Builder, config: Config): void {
  const namespaces = config.linux?.namespaces ?? [];
  const joined = joinsFromOutside(config);
  namespaces.forEach(({ type, path }, i) => {
    if (!path || joined || !(type in JOINED)) return;
    b.about(`join the ${type} namespace of ${JSON.stringify(path)}`, `linux.namespaces[${i}].path`);
    b.slot(input.namespace(type));
    b.call("setns", [slot(input.namespace(type)), flags(JOINED[type])]);
    b.close(input.namespace(type));
  });
  if (namespaces.some(({ type, path }) => type === "cgroup" && !path)) {
    // Its root is the cgroup that the process is in, so it comes after that is entered.
    b.about("make a cgroup namespace", "linux.namespaces");
    b.call("unshare", [flags("CLONE_NEWCGROUP")]);
  }
}

const DELEGATED = member("annotations", ANNOTATIONS.delegateCgroup);

/** The runtime moves what lies in its own network to the container's, and the process to a cgroup inside of its own. */
function waitForRuntime(b: Builder, { linux = {} }: Config, { cgroup }: Facts): void {
  if (Object.keys(linux.netDevices ?? {}).length > 0) b.about("wait for the network devices", "linux.netDevices");
  else if (cgroup.delegated) b.about("wait to be moved to the delegated cgroup", DELEGATED);
  else return;
  send(b, "isolated");
  wait(b);
}

export function startSession(b: Builder, { newKeyring, id }: Facts): void {
  b.about("start a session");
  b.call("setsid", []);
  if (!newKeyring) return;
  b.about("start a session keyring", undefined, "--no-new-keyring goes without");
  const on = { ENOSYS: "next", EDQUOT: "next", EPERM: "next" } as const;
  b.call("keyctl", [flags("KEYCTL_JOIN_SESSION_KEYRING"), text(`_ses.${id}`)], { on });
}

function nameHost(b: Builder, { hostname, domainname }: Config): void {
  if (hostname) {
    b.about(`set the host name to ${JSON.stringify(hostname)}`, "hostname");
    b.call("sethostname", [text(hostname), ffi.encode(hostname).length]);
  }
  if (domainname) {
    b.about(`set the domain name to ${JSON.stringify(domainname)}`, "domainname");
    b.call("setdomainname", [text(domainname), ffi.encode(domainname).length]);
  }
}

/** The tail: who the process is, the wait for `start`, confinement, and the user's program. */
function compileProcess(b: Builder, config: Config, process: Process, facts: Facts): void {
  compileTreatment(b, config, process, facts);
  const { dropLast } = compileIdentity(b, config, facts);
  compileExecutableCheck(b, process);
  b.part(waitForStart, null);
  if ((config.hooks?.startContainer?.length ?? 0) > 0) {
    b.about("wait for the startContainer hooks", "hooks.startContainer");
    send(b, "starting", "report");
    wait(b, "report");
  }
  confine(b, config, process, facts, dropLast);
  compileExecute(b, process, facts.home);
}

/** Compiles how the kernel treats the process beside what it permits: its time, its memory, its execution domain. */
export function compileTreatment(b: Builder, config: Config, process: Process, facts: Facts): void {
  compileScheduling(b, config, process, facts);
  const { memoryPolicy, personality } = config.linux ?? {};
  if (memoryPolicy !== undefined) compileMemoryPolicy(b, memoryPolicy);
  if (personality?.domain === undefined) return;
  b.about(`set the execution domain to ${personality.domain}`, "linux.personality");
  b.call("personality", [flags(`PER_${personality.domain}`)]);
}

/** As late as can be: after this only what the filter allows. The facts are those of `withFilter`. */
export function confine(b: Builder, config: Config, process: Process, { filter }: Facts, dropLast: () => void): void {
  compileLabels(b, process);
  if (process.noNewPrivileges) {
    b.about("keep the process from gaining privileges", "process.noNewPrivileges");
    b.call("prctl", [flags("PR_SET_NO_NEW_PRIVS"), 1, 0, 0, 0]);
  }
  if (config.linux?.seccomp !== undefined) loadFilter(b, config.linux.seccomp, filter as Uint8Array);
  dropLast();
}

function waitForStart(b: Builder): void {
  b.about("report that the container is created");
  send(b, "ready");
  // If the runtime ends before that, nobody may know of this process: then it ends too.
  b.about("wait until the container is recorded");
  wait(b);
  b.about("unmap the steps that are done, which need not be resident");
  for (const name of Object.values(PASSED)) b.slot(name);
  b.call("munmap", [slot(PASSED.code), slot(PASSED.size)], GO_ON);
  b.about("wait for start");
  b.slot(input.start);
  b.call("accept4", [slot(input.start), 0, 0, flags("SOCK_CLOEXEC")], { into: "report" });
}

/** Loads the filter. Whoever answers its notifications gets its listener before anything more is done. */
function loadFilter(b: Builder, seccomp: Seccomp, filter: Uint8Array): void {
  const how = filterFlags(seccomp);
  const names: string[] = (Object.keys(FLAGS) as SeccompFlag[]).filter((name) => how & FLAGS[name]);
  const listens = notifies(seccomp);
  if (listens) names.push("SECCOMP_FILTER_FLAG_NEW_LISTENER");
  // With a listener among the results, seccomp(2) wants to be told how else it may report of threads.
  if (listens && how & FLAGS.SECCOMP_FILTER_FLAG_TSYNC) names.push("SECCOMP_FILTER_FLAG_TSYNC_ESRCH");
  const count = filter.length / 8;
  const hint = { EBUSY: "a filter that is in force already has a listener: the kernel takes one" };
  b.about(`load the seccomp filter of ${count} instructions`, "linux.seccomp", listens ? hint : undefined);
  const program = { struct: [count, { bytes: filter, shown: `${count} instructions` }] };
  const load = [flags("SECCOMP_SET_MODE_FILTER"), flags(...names), program];
  if (!listens) {
    b.call("seccomp", load);
    return;
  }
  b.call("seccomp", load, { into: "listener" });
  b.about("hand out the filter's listener", "linux.seccomp.listenerPath");
  sendNumber(b, "listener", "listener", "report");
  wait(b, "report");
  // As long as it is open here, the end of its receiver does not end the waiting for an answer.
  b.close("listener");
}
