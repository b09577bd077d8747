import type { Config, Namespace } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, open, quote } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";

/** ioctl_ns(2): which kind of namespace a descriptor is of, as clone(2)'s flag. */
const NS_GET_NSTYPE = 0xb703;

const KINDS: Record<string, string> = {
  [C.CLONE_NEWNS]: "mount",
  [C.CLONE_NEWCGROUP]: "cgroup",
  [C.CLONE_NEWUTS]: "uts",
  [C.CLONE_NEWIPC]: "ipc",
  [C.CLONE_NEWUSER]: "user",
  [C.CLONE_NEWPID]: "pid",
  [C.CLONE_NEWNET]: "network",
  [C.CLONE_NEWTIME]: "time",
};

/** Opens the namespaces to join, by type, once it is certain that each is of its type. Throws Failure. */
export function openNamespaces({ linux }: Config): Record<string, Fd> {
  const opened: Record<string, Fd> = {};
  try {
    (linux?.namespaces ?? []).forEach((namespace, i) => {
      if (namespace.path) opened[namespace.type] = openNamespace(namespace, `linux.namespaces[${i}].path`);
    });
    return opened;
  } catch (error) {
    for (const type in opened) close(opened[type]);
    throw error;
  }
}

function openNamespace({ type, path = "" }: Namespace, from: string): Fd {
  let fd: Fd;
  try {
    fd = open(path, C.O_RDONLY);
  } catch (cause) {
    throw new Failure(from, { cause, hint: "has the process that it belongs to ended?" });
  }
  const kind = KINDS[attempt("ioctl", fd, NS_GET_NSTYPE)];
  if (kind === type) return fd;
  close(fd);
  throw new Failure(`${from}: ${quote(path)}`, {
    cause: kind === undefined ? `not a ${type} namespace` : `not a ${type} namespace but a ${kind} namespace`,
  });
}
