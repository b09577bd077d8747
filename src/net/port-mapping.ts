import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { requireAddress } from "./address.js";

/** A port of the host's that leads to one of the container's: what the plugin portmap takes. */
export interface PortMapping {
  /** 0 in what is asked for: whichever is free. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP?: string;
}

const PROTOCOLS = ["tcp", "udp", "sctp"];

const FORM = "[[ADDRESS:][PORT[-PORT]]:]PORT[-PORT][/PROTOCOL]";

/**
 * What `[[ADDRESS:][PORT[-PORT]]:]PORT[-PORT][/PROTOCOL]` asks to publish, port by port: first the host's, then the
 * container's. An IPv6 address stands in brackets. Throws Failure.
 */
export function parsePublish(text: string): PortMapping[] {
  const fail = (cause: string) => new Failure(`--publish: ${quote(text)}`, { cause });
  const [, bracketed, plain, host = "", container, protocol = "tcp"] =
    /^(?:(?:(?:\[([^\]]*)\]|([\d.]+)):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text) ?? [];
  if (container === undefined || (host === "" && text.startsWith(":"))) throw fail(`not of the form ${FORM}`);
  if (!PROTOCOLS.includes(protocol)) throw fail(`the protocol has to be one of ${PROTOCOLS.join(", ")}`);
  const address = bracketed ?? plain;
  if (address !== undefined) requireAddress("publish", address);
  const range = (part: string): number[] => {
    const ports = parseRange(part);
    if (ports === undefined) throw fail(`${quote(part)} is no port and no range of ports`);
    return ports;
  };
  const to = range(container);
  const from = host === "" ? to.map(() => 0) : range(host);
  if (from.length !== to.length) throw fail(`${from.length} ports of the host for ${to.length} of the container`);
  return from.map((hostPort, i) => ({
    hostPort,
    containerPort: to[i],
    protocol,
    ...(address !== undefined && { hostIP: address }),
  }));
}

/** A mapping as `--publish` asks for it. */
export function formatMapping({ hostIP, hostPort, containerPort, protocol }: PortMapping): string {
  const address = hostIP === undefined ? "" : hostIP.includes(":") ? `[${hostIP}]:` : `${hostIP}:`;
  return `${address}${hostPort === 0 ? "" : hostPort}:${containerPort}/${protocol}`;
}

function parseRange(text: string): number[] | undefined {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && from <= to && to <= 65_535)) return undefined;
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
