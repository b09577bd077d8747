import { ffi } from "../ffi/driver.js";
import type { IDMapping } from "../generated/config.js";
import { Builder, flags } from "../init/builder.js";
import { clone } from "../init/clone.js";
import { C } from "../linux/constants.js";
import { type Fd, open, writeFile } from "../linux/file.js";
import { waitFor } from "../linux/process.js";
import { SIGKILL } from "../linux/signals.js";
import { attempt, must } from "../linux/syscall.js";
import { placeProgram } from "./native.js";

/**
 * A user namespace with these id maps and nothing in it, as mount_setattr(2) wants one to map a mount's ids by.
 * Throws SyscallError.
 */
export function userNamespace(uidMappings: readonly IDMapping[], gidMappings: readonly IDMapping[]): Fd {
  const b = new Builder();
  const [child, end] = [b.label(), b.label()];
  b.about("start a process to hold a user namespace");
  clone(b, { name: "holder", flags: ["CLONE_NEWUSER"], child, end });
  b.bind(child);
  b.call("prctl", [flags("PR_SET_PDEATHSIG"), SIGKILL]);
  // Until it is killed: it exists only so that its namespace can be given maps and be opened.
  b.call("ppoll", [0, 0, 0, 0, 8], { on: { "*": "next" } });
  b.bind(end);
  const started = ffi.call(placeProgram(b.finish(), { report: -1, context: -1 }));
  const pid = must("clone3", "start a process to hold a user namespace", started);
  try {
    writeFile(`/proc/${pid}/uid_map`, idMap(uidMappings));
    writeFile(`/proc/${pid}/gid_map`, idMap(gidMappings));
    return open(`/proc/${pid}/ns/user`, C.O_RDONLY);
  } finally {
    attempt("kill", pid, 9);
    waitFor(pid);
  }
}

/** Id maps as the kernel reads them: a line each, "inside outside count". user_namespaces(7) */
export const idMap = (mappings: readonly IDMapping[]): string =>
  mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
