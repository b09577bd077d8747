import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import { notifies } from "../config/rules/seccomp.js";
import type { Config } from "../generated/config.js";
import type { State } from "../generated/state.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote, stat, using } from "../linux/file.js";
import { connectUnix, sendDescriptor } from "../linux/socket.js";

/** Who decides on the system calls that a container's filter notifies of. */
export interface SeccompAgent {
  /** The socket that it waits at, an absolute path. */
  readonly path: string;
  /** What the config says to it, as it is. */
  readonly metadata?: string;
  /** The path's own JSON path. */
  readonly from: string;
}

/** The agent that a config names, if its filter has need of one. */
export function seccompAgent({ linux, annotations = {} }: Config): SeccompAgent | undefined {
  const seccomp = linux?.seccomp;
  if (seccomp === undefined || !notifies(seccomp)) return undefined;
  const { listenerPath, listenerMetadata } = seccomp;
  const metadata = listenerMetadata ? { metadata: listenerMetadata } : {};
  if (listenerPath) return { path: listenerPath, from: "linux.seccomp.listenerPath", ...metadata };
  const name = ANNOTATIONS.seccompReceiver;
  return { path: annotations[name], from: member("annotations", name) };
}

/** Makes sure that there is a socket, so that a container without an agent is told of when it is created. */
export function requireAgent(config: Config): void {
  const agent = seccompAgent(config);
  if (agent === undefined) return;
  const { path, from } = agent;
  const status = stat(path);
  if (status === undefined) throw new Failure(`${from}: ${quote(path)}`, { cause: "no such socket" });
  if ((status.mode & C.S_IFMT) !== C.S_IFSOCK) throw new Failure(`${from}: ${quote(path)}`, { cause: "not a socket" });
}

/**
 * Hands a filter's listener to the agent: with the container process state (config-linux.md, "The Container Process
 * State"), over a connection for this alone. Throws Failure.
 *
 * @param pid the process that the filter is loaded in, as the runtime numbers it
 */
export function passListener({ path, metadata, from }: SeccompAgent, listener: Fd, pid: number, state: State): void {
  const message = { ociVersion: state.ociVersion, fds: ["seccompFd"], pid, ...(metadata && { metadata }), state };
  try {
    using(connectUnix(path), (socket) => sendDescriptor(socket, JSON.stringify(message), listener));
  } catch (cause) {
    throw new Failure(`${from}: ${quote(path)}`, { cause });
  }
}
