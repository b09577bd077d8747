import { hasNamespace, joinsCgroupBesideUser, makesNamespace } from "../config/rules/namespaces.js";
import type { Config, Namespace, NamespaceType } from "../generated/config.js";
import type { Program } from "../machine/program.js";
import { Builder, flags, slot } from "./builder.js";
import { type Clone, clone, NO_MORE } from "./clone.js";
import { becomeRoot, executeProgram, NAMESPACE_FLAGS, startBetween } from "./compile-spawn.js";
import { type Facts, input } from "./facts.js";
import { keepsGroups } from "./identity.js";
import { wait } from "./message.js";

/** The namespaces that clone(2) makes, and unshare(2). The cgroup namespace is made by the program itself, later. */
const AT_ONCE = ["user", "pid"] as const;
const LATER = ["mount", "uts", "ipc", "network"] as const;

/** Whether the cgroup lets no more memory be used. */
const limitsMemory = ({ linux }: Config): boolean =>
  linux?.resources?.memory?.limit !== undefined || linux?.resources?.unified?.["memory.max"] !== undefined;

/**
 * Whether all namespaces given by path are joined before init is made: once in a user namespace that is not the host's,
 * it could not join what belongs to the host.
 */
export const joinsFromOutside = ({ linux }: Config): boolean =>
  linux?.namespaces?.some(({ path }) => path) === true && linux.namespaces.some(({ type }) => type === "user");

/** All that the launcher depends on. */
interface Start {
  /** The types of the namespaces that are made with init, and by it. */
  readonly atOnce: readonly NamespaceType[];
  readonly later: readonly NamespaceType[];
  /** Those that a process between joins, in this order, and which of the config's they are; absent: there is none. */
  readonly joined?: readonly (Pick<Namespace, "type" | "path"> & { readonly index: number })[];
  /** Where init starts, or the process between if that is to join another's cgroup namespace. */
  readonly place: Pick<Clone, "cgroup" | "ownMemory">;
  readonly placesBetween: boolean;
  /** Whether init becomes root in a user namespace, and what becomes of its groups. */
  readonly becomesRoot: boolean;
  readonly keepsGroups: boolean;
}

function startOf(config: Config, { cgroup, privileged }: Facts): Start {
  const all = (config.linux?.namespaces ?? []).map(({ type, path }, index) => ({ type, path, index }));
  const joined = all.filter(({ path }) => path);
  const joinsAll = joinsFromOutside(config);
  const user = joined.filter(({ type }) => type === "user");
  const others = joined.filter(({ type }) => type === "pid" || (joinsAll && type !== "user" && type !== "time"));
  const between = joinsAll || joined.some(({ type }) => type === "pid");
  return {
    atOnce: AT_ONCE.filter((type) => makesNamespace(config, type)),
    later: LATER.filter((type) => makesNamespace(config, type)),
    ...(between && { joined: privileged ? [...others, ...user] : [...user, ...others] }),
    place: {
      ...(cgroup.into && { cgroup: "cgroup" }),
      ownMemory: (cgroup.into || cgroup.moved === true) && limitsMemory(config),
    },
    placesBetween: joinsCgroupBesideUser(config),
    becomesRoot: hasNamespace(config, "user"),
    keepsGroups: keepsGroups(config),
  };
}

/**
 * The launcher: the program that starts a container's init, run inside the runtime's own process. The new process
 * shares the runtime's memory until it executes slot `program`, so nothing of it is copied; it touches none of it. While
 * it makes its namespaces, which takes the kernel some time, the runtime goes on to assemble what it is to execute.
 *
 * Two namespaces cannot be entered by the process that is to live in them: a process id namespace takes in children
 * only, and new namespaces belong to the user namespace of who makes them. For these a process between does the
 * joining and then makes init as its sibling (CLONE_PARENT).
 */
export function compileLauncher(config: Config, facts: Facts): Program {
  const b = new Builder();
  b.part(startInit, startOf(config, facts));
  return b.finish();
}

function startInit(b: Builder, start: Start): void {
  const { atOnce, joined, place, placesBetween } = start;
  const end = b.label();
  if (joined !== undefined) {
    b.about("start a process to join namespaces with", undefined, NO_MORE);
    startBetween(b, end, placesBetween ? place : {});
    for (const { type, path, index } of joined) {
      b.about(`join the ${type} namespace of ${JSON.stringify(path)}`, `linux.namespaces[${index}].path`);
      b.slot(input.namespace(type));
      b.call("setns", [slot(input.namespace(type)), flags(NAMESPACE_FLAGS[type])]);
    }
  }
  const child = b.label();
  b.about(
    atOnce.length === 0 ? "start init" : `start init in new namespaces (${atOnce.join(", ")})`,
    undefined,
    NO_MORE,
  );
  const init = {
    name: "init",
    flags: atOnce.map((type) => NAMESPACE_FLAGS[type]),
    pidAddress: "pid-address",
    ...(placesBetween ? { ownMemory: place.ownMemory ?? false } : place),
    child,
  };
  if (joined !== undefined) {
    clone(b, { ...init, sibling: true });
    b.about("end the process that joined namespaces");
    b.call("exit_group", [0]);
  } else clone(b, { ...init, end });
  b.bind(child);
  becomeInit(b, start);
  b.bind(end);
}

/** What the new process does. */
function becomeInit(b: Builder, { atOnce, later, becomesRoot, keepsGroups: keeps }: Start): void {
  // Only then does the end of the runtime end this process's waiting, too.
  b.about("close the runtime's end of the connection");
  b.slot("peer");
  b.close("peer");
  if (later.length > 0) {
    b.about(`make namespaces (${later.join(", ")})`, "linux.namespaces", NO_MORE);
    b.call("unshare", [flags(...later.map((type) => NAMESPACE_FLAGS[type]))]);
  }
  b.about(atOnce.includes("user") ? "wait for the id maps and for init's program" : "wait for init's program");
  wait(b);
  if (becomesRoot) {
    b.about("become root in the user namespace", "linux.uidMappings", "is container id 0 mapped?");
    becomeRoot(b, keeps);
  }
  b.about("execute init's program");
  executeProgram(b, "fdrunc-init");
}
