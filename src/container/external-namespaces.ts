import type { Content } from "../criu/protobuf.js";
import type { Config } from "../generated/config.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote, stat } from "../linux/file.js";

/** The namespaces that criu leaves alone where the config joins them, by config name: /proc/PID/ns/NAME, and criu's key. */
const LEFT: Record<string, { readonly name: string; readonly key: string }> = {
  network: { name: "net", key: "extRootNetNS" },
  pid: { name: "pid", key: "extRootPidNS" },
};

/** Those that criu joins for itself, by config name: criu's name. */
const JOINED: Record<string, string> = { mount: "mnt", ipc: "ipc", uts: "uts", user: "user", time: "time" };

/** criu's names for a container's namespaces that are not its own. */
export function dumpedNamespaces(pid: number, { linux }: Config): string[] {
  return (linux?.namespaces ?? []).flatMap(({ type, path }) => {
    const left = path ? LEFT[type] : undefined;
    const inode = left === undefined ? undefined : stat(`/proc/${pid}/ns/${left.name}`)?.inode;
    return left === undefined || inode === undefined ? [] : [`${left.name}[${inode}]:${left.key}`];
  });
}

/** How criu is to restore into namespaces that are there. */
export interface RestoredNamespaces {
  readonly inherit_fd: Content[];
  readonly join_ns: Content[];
}

/** What criu is told of namespaces that the config joins; `opened` has them by type. Throws Failure. */
export function restoredNamespaces({ linux }: Config, opened: Readonly<Record<string, Fd>>): RestoredNamespaces {
  const told: RestoredNamespaces = { inherit_fd: [], join_ns: [] };
  (linux?.namespaces ?? []).forEach(({ type, path }, i) => {
    if (!path) return;
    if (type in LEFT) told.inherit_fd.push({ key: LEFT[type].key, fd: opened[type] });
    else if (type in JOINED) told.join_ns.push({ ns: JOINED[type], ns_file: path });
    else
      throw new Failure(`linux.namespaces[${i}].path: ${quote(path)}`, { cause: `criu joins no ${type} namespaces` });
  });
  return told;
}
