import { ffi } from "../ffi/driver.js";
import type { Config, IDMapping } from "../generated/config.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EPERM } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { attemptWriteFile, close, quote, readFileBytes, writeFile } from "../linux/file.js";
import { waitFor } from "../linux/process.js";
import { attempt, must, SyscallError, sys } from "../linux/syscall.js";
import { spawn } from "./spawn.js";
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
  const input = sys("memfd_create", cstring("input"), C.MFD_CLOEXEC);
  const output = sys("memfd_create", cstring("output"), C.MFD_CLOEXEC);
  try {
    const args = [helper, String(pid), ...numbers];
    const what = quote(path);
    const ending = waitFor(
      spawn({
        what,
        from,
        executable: { path, args, env: [] },
        streams: { stdin: input, stdout: output, stderr: output },
      }),
    );
    if ("status" in ending && ending.status === 0) return;
    const said = ffi
      .decode(readFileBytes(`/proc/self/fd/${output}`))
      .trimEnd()
      .replaceAll("\n", "; ");
    throw new Failure(`${from}: ${what}`, {
      cause: said || ("signal" in ending ? `killed by signal ${ending.signal}` : `exit status ${ending.status}`),
      hint: `does ${quote(grants)} give the caller these ids?`,
    });
  } finally {
    close(input);
    close(output);
  }
}

/** A program's path as execvp(3) finds it, in absolute directories only. */
function findProgram(name: string): string | undefined {
  const path = ffi.environ.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? "/usr/bin:/bin";
  return path
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => `${directory}/${name}`)
    .find((file) => attempt("faccessat2", C.AT_FDCWD, cstring(file), C.X_OK, C.AT_EACCESS) === 0);
}
