import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { attribute, Netlink } from "../linux/netlink.js";
import { addressesOf, networkDevices } from "../linux/network-device.js";
import { overlap, parseSubnet, type Subnet } from "./address.js";
import { type BridgeSetup, setupOf } from "./bridge-network.js";
import type { CniNetwork } from "./cni-network.js";

/** Addresses that are in use, and by what. */
interface Used {
  readonly subnet: Subnet;
  readonly shown: string;
}

/**
 * Refuses a network of fdnet's own some of whose addresses are another one's or belong to a device of the host's: what is
 * sent there could go either way. Throws Failure.
 */
export function refuseOverlap(network: CniNetwork, others: readonly CniNetwork[]): void {
  const { bridge, subnets } = setupOf(network);
  const inNetworks = others.flatMap((other) =>
    setupOf(other).subnets.map((subnet) => ({
      subnet: parseSubnet(subnet),
      shown: `${subnet} of network ${quote(other.name)}`,
    })),
  );
  const used = [...inNetworks, ...ofDevices(bridge)];
  for (const text of subnets) {
    const found = used.find(({ subnet }) => overlap(subnet, parseSubnet(text)));
    if (found !== undefined)
      throw new Failure(`network ${quote(network.name)}`, { cause: `${text} overlaps ${found.shown}` });
  }
}

/** The networks that the host's devices are in, but for the bridge, which a crash may have left. */
function ofDevices(bridge: BridgeSetup["bridge"]): Used[] {
  const netlink = Netlink.open();
  try {
    return networkDevices(netlink)
      .filter(({ name }) => name !== bridge)
      .flatMap((device) =>
        addressesOf(netlink, device).flatMap(({ family, prefixLength, attributes }): Used[] => {
          const bytes = [...(attribute(attributes, C.IFA_ADDRESS) ?? [])];
          const address = { family: family === C.AF_INET ? (4 as const) : (6 as const), bytes };
          const shown = `an address of ${quote(device.name)}`;
          return [{ subnet: { address, length: prefixLength }, shown }];
        }),
      );
  } finally {
    netlink.close();
  }
}
