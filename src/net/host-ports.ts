import { viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EADDRINUSE } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { quote, using } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";
import { type Address, parseAddress } from "./address.js";
import { formatMapping, type PortMapping } from "./port-mapping.js";

/** A port of the host's that is a container's. */
export interface TakenPort {
  readonly mapping: PortMapping;
  readonly id: string;
}

/** Where free ports are looked for: those that nobody is assigned (RFC 6335, section 6). */
const [FIRST, LAST] = [49_152, 65_535];

/**
 * Gives mappings without a port of the host's one that is free. Throws Failure where a port that is asked for is not.
 *
 * @param taken what other containers have
 * @param isListened whether a program on the host has a port
 */
export function assignPorts(
  mappings: readonly PortMapping[],
  taken: readonly TakenPort[],
  isListened: (mapping: PortMapping) => boolean = isListenedOnHost,
): PortMapping[] {
  const given: PortMapping[] = mappings.filter(({ hostPort }) => hostPort !== 0);
  for (const [i, mapping] of given.entries()) {
    const fail = (cause: string) => new Failure(`--publish: ${quote(formatMapping(mapping))}`, { cause });
    const owner = taken.find((other) => collide(other.mapping, mapping));
    if (owner !== undefined) throw fail(`the port is container ${quote(owner.id)}'s`);
    if (given.slice(0, i).some((other) => collide(other, mapping))) throw fail("the port is asked for twice");
    if (isListened(mapping)) throw fail("a program on the host has the port");
  }
  return mappings.map((mapping) => {
    if (mapping.hostPort !== 0) return mapping;
    for (let hostPort = FIRST; hostPort <= LAST; hostPort++) {
      const candidate = { ...mapping, hostPort };
      const others = [...given, ...taken.map((other) => other.mapping)];
      if (others.some((other) => collide(other, candidate)) || isListened(candidate)) continue;
      given.push(candidate);
      return candidate;
    }
    throw new Failure(`--publish: ${quote(formatMapping(mapping))}`, { cause: "no port of the host's is free" });
  });
}

const collide = (a: PortMapping, b: PortMapping): boolean =>
  a.hostPort === b.hostPort &&
  a.protocol === b.protocol &&
  (a.hostIP === undefined || b.hostIP === undefined || a.hostIP === b.hostIP);

/** Whether a program has a port: then it cannot be bound to. */
function isListenedOnHost({ hostIP, hostPort, protocol }: PortMapping): boolean {
  // The kernel may know no sockets of sctp.
  if (protocol === "sctp") return false;
  const addresses = [hostIP ?? "0.0.0.0", ...(hostIP === undefined ? ["::"] : [])];
  return addresses.some((text) => {
    const address = parseAddress(text) as Address;
    const family = address.family === 4 ? C.AF_INET : C.AF_INET6;
    const type = protocol === "tcp" ? C.SOCK_STREAM : C.SOCK_DGRAM;
    const socket = attempt("socket", family, type | C.SOCK_CLOEXEC, 0);
    // A host without IPv6.
    if (socket < 0) return false;
    return using(socket, () => {
      // Connections of before, which TCP remembers for a while, take no port.
      if (protocol === "tcp") attempt("setsockopt", socket, C.SOL_SOCKET, C.SO_REUSEADDR, Uint8Array.of(1, 0, 0, 0), 4);
      const bytes = socketAddress(address, hostPort);
      return attempt("bind", socket, bytes, bytes.length) === -EADDRINUSE;
    });
  });
}

/** struct sockaddr_in of ip(7), struct sockaddr_in6 of ipv6(7). */
function socketAddress({ family, bytes }: Address, port: number): Uint8Array {
  const result = new Uint8Array(family === 4 ? 16 : 28);
  viewOf(result).setUint16(0, family === 4 ? C.AF_INET : C.AF_INET6, true);
  viewOf(result).setUint16(2, port, false);
  result.set(bytes, family === 4 ? 4 : 8);
  return result;
}
