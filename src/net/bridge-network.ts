import { Netlink } from "../linux/netlink.js";
import { deleteDevice, networkDevices } from "../linux/network-device.js";
import { parseSubnet } from "./address.js";
import type { CniNetwork } from "./cni-network.js";
import { type Family, iptables, iptablesIfThere } from "./iptables.js";

/** The network that is there without any configuration. */
export const DEFAULT_NETWORK = "bridge";
const DEFAULT_BRIDGE = "fdrunc0";
const DEFAULT_SUBNET = "10.83.0.0/16";

/** What a bridge network of fdnet's own is made of. */
export interface BridgeOrder {
  readonly name: string;
  /** Of both families, if so wished; none: the default network's. */
  readonly subnets: readonly string[];
  /** Whether the container's default route leads there. */
  readonly isFirst: boolean;
  /** Whether ports are published. */
  readonly publishes: boolean;
  /** Where the addresses that are in use are kept. */
  readonly leases: string;
}

/**
 * A network of fdnet's own: a bridge whose address is the containers' gateway, which masquerades what they send out. Each
 * choice of subnets is a network and has a bridge of its own.
 */
export function bridgeNetwork({ name, subnets, isFirst, publishes, leases }: BridgeOrder): CniNetwork {
  const isDefault = name === DEFAULT_NETWORK && subnets.length === 0;
  const ranges = isDefault ? [DEFAULT_SUBNET] : subnets;
  const full = isDefault ? name : [name, ...ranges].join("-").replace(/[^\w.-]/g, "_");
  const bridge = {
    type: "bridge",
    bridge: isDefault ? DEFAULT_BRIDGE : `fdr-${hash(full)}`,
    isGateway: true,
    isDefaultGateway: isFirst,
    ipMasq: true,
    hairpinMode: true,
    capabilities: { ips: true, mac: true },
    ipam: { type: "host-local", dataDir: leases, ranges: ranges.map((subnet) => [{ subnet }]) },
  };
  const portmap = { type: "portmap", snat: true, capabilities: { portMappings: true } };
  return { cniVersion: "1.0.0", name: full, plugins: publishes ? [bridge, portmap] : [bridge] };
}

/** Eight digits that tell names apart: FNV-1a of 32 bits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** What of a network is made beside its plugins' work, and removed with its last container. */
export interface BridgeSetup {
  readonly bridge: string;
  readonly families: readonly Family[];
  readonly subnets: readonly string[];
}

/** What a network of fdnet's own needs to be set up. */
export function setupOf(network: CniNetwork): BridgeSetup {
  const { bridge, ipam } = network.plugins[0] as unknown as {
    bridge: string;
    ipam: { ranges: readonly (readonly { subnet: string }[])[] };
  };
  const subnets = ipam.ranges.map(([{ subnet }]) => subnet);
  return { bridge, subnets, families: [...new Set(subnets.map((subnet) => parseSubnet(subnet).address.family))] };
}

/**
 * What the host has to forward even where its policy is to drop: all that comes from the bridge, and to it what belongs
 * to such connections or was meant for a published port.
 */
const rulesOf = (bridge: string): string[][] => [
  ["FORWARD", "-i", bridge, "-j", "ACCEPT"],
  ["FORWARD", "-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED,DNAT", "-j", "ACCEPT"],
];

/** Has the host forward what a bridge's containers send and get. Throws Failure. */
export function acceptForwarding({ bridge, families }: BridgeSetup): void {
  for (const family of families)
    for (const rule of rulesOf(bridge)) if (!hasRule(family, rule)) iptables(family, "-I", ...rule);
}

const hasRule = (family: Family, rule: readonly string[]): boolean =>
  iptablesIfThere(family, "-C", ...rule) !== undefined;

/** Removes a bridge and what was set up for it; what of it is not there is fine. Throws Failure, SyscallError. */
export function removeBridge({ bridge, families }: BridgeSetup): void {
  for (const family of families)
    for (const rule of rulesOf(bridge)) if (hasRule(family, rule)) iptables(family, "-D", ...rule);
  const netlink = Netlink.open();
  try {
    const device = networkDevices(netlink).find(({ name }) => name === bridge);
    if (device !== undefined) deleteDevice(netlink, device);
  } finally {
    netlink.close();
  }
}
