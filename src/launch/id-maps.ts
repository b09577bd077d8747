import type { Config, IDMapping } from "../generated/config.js";
import { EPERM } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { attemptWriteFile, quote, writeFile } from "../linux/file.js";
import { findProgram } from "../linux/find-program.js";
import { must, SyscallError, sys } from "../linux/syscall.js";
import { runFile } from "./run-program.js";
import { idMap } from "./user-namespace.js";

/** A kind of id map: its file in /proc/PID, its property, and the program that may write it for an ordinary user. */
interface Kind {
  readonly file: string;
  readonly property: "uidMappings" | "gidMappings";
  readonly helper: string;
  /** Where ids are given to users: subuid(5). */
  readonly grants: string;
}

const KINDS: readonly Kind[] = [
  { file: "uid_map", property: "uidMappings", helper: "newuidmap", grants: "/etc/subuid" },
  { file: "gid_map", property: "gidMappings", helper: "newgidmap", grants: "/etc/subgid" },
];

/** Gives a new user namespace its id maps. user_namespaces(7), newuidmap(1). Throws Failure by JSON path. */
export function writeIdMaps(pid: number, { linux = {} }: Config): void {
  for (const kind of KINDS) {
    try {
      writeIdMap(pid, kind, linux[kind.property] ?? []);
    } catch (error) {
      if (error instanceof SyscallError) throw new Failure(`linux.${kind.property}`, { cause: error });
      throw error;
    }
  }
}

function writeIdMap(pid: number, kind: Kind, mappings: readonly IDMapping[]): void {
  const path = `/proc/${pid}/${kind.file}`;
  const write = () => attemptWriteFile(path, idMap(mappings));
  let result = write();
  if (result === -EPERM && kind.property === "gidMappings" && isOwnGroup(mappings)) {
    // Whoever could leave groups would get what is denied to those groups.
    writeFile(`/proc/${pid}/setgroups`, "deny");
    result = write();
  }
  if (result === -EPERM) runHelper(pid, kind, mappings);
  else must("write", ["write", path], result);
}

const isOwnGroup = ([first, ...others]: readonly IDMapping[]): boolean =>
  others.length === 0 && first.size === 1 && first.hostID === sys("getegid");

/** Has an id map written by a program that may map the ids that the administrator has given to the user. */
function runHelper(pid: number, { property, helper, grants }: Kind, mappings: readonly IDMapping[]): void {
  const from = `linux.${property}`;
  const path = findProgram(helper);
  if (path === undefined)
    throw new Failure(from, {
      cause: `more than the caller's own id takes ${helper}, which is not in $PATH`,
      hint: "it comes with package uidmap or shadow-utils",
    });
  const numbers = mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String));
  const what = quote(path);
  const { output, fate } = runFile({ what, from }, { path, args: [helper, String(pid), ...numbers], env: [] });
  if (fate !== undefined)
    throw new Failure(`${from}: ${what}`, {
      cause: output.trimEnd().replaceAll("\n", "; ") || fate,
      hint: `does ${quote(grants)} give the caller these ids?`,
    });
}
