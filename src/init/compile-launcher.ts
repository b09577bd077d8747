import { joinsCgroupBesideUser } from "../config/rules/namespaces.js";
import type { Config, Namespace } from "../generated/config.js";
import type { Program } from "../machine/program.js";
import { Builder, flags, slot } from "./builder.js";
import { clone, NO_MORE } from "./clone.js";
import { becomeRoot, executeProgram, NAMESPACE_FLAGS, startBetween } from "./compile-spawn.js";
import { type Facts, input } from "./facts.js";
import { keepsGroups } from "./identity.js";
import { wait } from "./message.js";

/** The namespaces that clone(2) makes. The cgroup namespace is made by the program itself, later. */
const CREATED = new Set(["mount", "uts", "ipc", "user", "pid", "network"]);

/** Whether the cgroup lets no more memory be used. */
const limitsMemory = ({ linux }: Config): boolean =>
  linux?.resources?.memory?.limit !== undefined || linux?.resources?.unified?.["memory.max"] !== undefined;

const typesOf = (namespaces: readonly Namespace[]): string => namespaces.map(({ type }) => type).join(", ");

/**
 * Whether all namespaces given by path are joined before init is made: once in a user namespace that is not the host's,
 * it could not join what belongs to the host.
 */
export const joinsFromOutside = ({ linux }: Config): boolean =>
  linux?.namespaces?.some(({ path }) => path) === true && linux.namespaces.some(({ type }) => type === "user");

/**
 * The launcher: the program that starts a container's init, run inside the runtime's own process. The new process
 * shares the runtime's memory until it executes slot `program`, so nothing of it is copied; it touches none of it. While
 * it makes its namespaces, which takes the kernel some time, the runtime goes on to assemble what it is to execute.
 *
 * Two namespaces cannot be entered by the process that is to live in them: a process id namespace takes in children
 * only, and new namespaces belong to the user namespace of who makes them. For these a process between does the
 * joining and then makes init as its sibling (CLONE_PARENT).
 */
export function compileLauncher(config: Config, { cgroup, privileged }: Facts): Program {
  const b = new Builder();
  const namespaces = config.linux?.namespaces ?? [];
  const created = namespaces.filter(({ type, path }) => !path && CREATED.has(type));
  const joined = namespaces.filter(({ path }) => path);
  const joinsUser = joined.some(({ type }) => type === "user");
  const createsUser = created.some(({ type }) => type === "user");
  const joinsAll = joinsFromOutside(config);
  const between = joinsAll || joined.some(({ type }) => type === "pid");
  const end = b.label();

  const place = {
    ...(cgroup.into && { cgroup: "cgroup" }),
    ownMemory: (cgroup.into || cgroup.moved === true) && limitsMemory(config),
  };
  const entersFirst = joinsCgroupBesideUser(config);
  if (between) {
    b.about("start a process to join namespaces with", undefined, NO_MORE);
    startBetween(b, end, entersFirst ? place : {});
    const user = joined.filter(({ type }) => type === "user");
    const others = joined.filter(({ type }) => type === "pid" || (joinsAll && type !== "user" && type !== "time"));
    for (const { type, path } of privileged ? [...others, ...user] : [...user, ...others]) {
      const index = namespaces.findIndex((namespace) => namespace.type === type);
      b.about(`join the ${type} namespace of ${JSON.stringify(path)}`, `linux.namespaces[${index}].path`);
      b.slot(input.namespace(type));
      b.call("setns", [slot(input.namespace(type)), flags(NAMESPACE_FLAGS[type])]);
    }
  }

  const child = b.label();
  const atOnce = created.filter(({ type }) => type === "user" || type === "pid");
  b.about(atOnce.length === 0 ? "start init" : `start init in new namespaces (${typesOf(atOnce)})`, undefined, NO_MORE);
  const init = {
    name: "init",
    flags: atOnce.map(({ type }) => NAMESPACE_FLAGS[type]),
    pidAddress: "pid-address",
    ...(entersFirst ? { ownMemory: place.ownMemory } : place),
    child,
  };
  if (between) {
    clone(b, { ...init, sibling: true });
    b.about("end the process that joined namespaces");
    b.call("exit_group", [0]);
  } else clone(b, { ...init, end });

  b.bind(child);
  // Only then does the end of the runtime end this process's waiting, too.
  b.about("close the runtime's end of the connection");
  b.slot("peer");
  b.close("peer");
  const later = created.filter((namespace) => !atOnce.includes(namespace));
  if (later.length > 0) {
    b.about(`make namespaces (${typesOf(later)})`, "linux.namespaces", NO_MORE);
    b.call("unshare", [flags(...later.map(({ type }) => NAMESPACE_FLAGS[type]))]);
  }
  b.about(createsUser ? "wait for the id maps and for init's program" : "wait for init's program");
  wait(b);
  if (createsUser || joinsUser) {
    b.about("become root in the user namespace", "linux.uidMappings", "is container id 0 mapped?");
    becomeRoot(b, keepsGroups(config));
  }
  b.about("execute init's program");
  executeProgram(b, "fdrunc-init");
  b.bind(end);
  return b.finish();
}
