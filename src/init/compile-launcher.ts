import type { Config } from "../generated/config.js";
import type { Program } from "../machine/program.js";
import { Builder, flags, slot, text } from "./builder.js";
import { CLONE_ARGS_SIZE, cloneArgs, NAMESPACE_FLAGS, SIGCHLD } from "./compile-spawn.js";
import { type Facts, input } from "./facts.js";
import { wait } from "./message.js";

/** The namespaces that clone(2) makes. The cgroup namespace is made by the program itself, later. */
const CREATED = new Set(["mount", "uts", "ipc", "user", "pid", "network"]);

/**
 * The launcher: the program that starts a container's init, run inside the runtime's own process. The new process
 * shares the runtime's memory until it executes slot `program`, so nothing of it is copied; it touches none of it.
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
  const between = joinsUser || joined.some(({ type }) => type === "pid");
  const createsUser = created.some(({ type }) => type === "user");
  const end = b.label();

  if (between) {
    const child = b.label();
    b.about("start a process to join namespaces with");
    const args = cloneArgs(b, "between", {
      flags: flags("CLONE_VM", "CLONE_VFORK", "CLONE_CLEAR_SIGHAND"),
      exitSignal: SIGCHLD,
    });
    b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child, on: { "*": end }, then: end });
    b.bind(child);
    const user = joined.filter(({ type }) => type === "user");
    const others = joined.filter(({ type }) => type !== "user" && (joinsUser || type === "pid"));
    for (const { type, path } of privileged ? [...others, ...user] : [...user, ...others]) {
      const index = namespaces.findIndex((namespace) => namespace.type === type);
      b.about(`join the ${type} namespace of ${JSON.stringify(path)}`, `linux.namespaces[${index}].path`);
      b.slot(input.namespace(type));
      b.call("setns", [slot(input.namespace(type)), flags(NAMESPACE_FLAGS[type])]);
    }
  }

  const names = created.map(({ type }) => NAMESPACE_FLAGS[type]);
  // Init waits for its id maps before it executes anything, so there the runtime must not wait for that.
  const how = ["CLONE_VM", ...(createsUser ? [] : ["CLONE_VFORK"]), ...(between ? ["CLONE_PARENT"] : [])];
  const into = cgroup.into ? ["CLONE_INTO_CGROUP"] : [];
  const child = b.label();
  const types = created.map(({ type }) => type).join(", ");
  b.about(types === "" ? "start init" : `start init in new namespaces (${types})`);
  const args = cloneArgs(b, "init", {
    flags: flags(...how, "CLONE_PARENT_SETTID", "CLONE_CLEAR_SIGHAND", ...into, ...names),
    // With CLONE_PARENT the signal is the parent's own.
    exitSignal: between ? 0 : SIGCHLD,
    pidAddress: "pid-address",
    cgroup: "cgroup",
  });
  if (between) {
    b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child });
    b.about("end the process that joined namespaces");
    b.call("exit_group", [0]);
  } else b.call("clone3", [args, CLONE_ARGS_SIZE], { zero: child, on: { "*": end }, then: end });

  b.bind(child);
  if (createsUser) {
    b.about("wait for the id maps", "linux.uidMappings");
    wait(b);
  }
  if (createsUser || joinsUser) {
    // Executing anything as an id that is not mapped would lose all capabilities.
    b.about("become root in the user namespace", "linux.uidMappings", "is container id 0 mapped?");
    b.call("setresgid", [0, 0, 0]);
    b.call("setgroups", [0, 0], { on: { EPERM: "next" } });
    b.call("setresuid", [0, 0, 0]);
  }
  b.about("execute init's program");
  b.slot("program");
  b.call("execveat", [
    slot("program"),
    text(""),
    { strings: ["fdrunc-init"] },
    { strings: [] },
    flags("AT_EMPTY_PATH"),
  ]);
  b.bind(end);
  return b.finish();
}
