import { cstring, fromCstring, viewOf } from "./bytes.js";
import { C } from "./constants.js";
import { type Fd, quote } from "./file.js";
import { type Attribute, attribute, attributesOf, type Netlink, uint32 } from "./netlink.js";

/** A network device: an interface, a link. */
export interface NetworkDevice {
  readonly index: number;
  readonly name: string;
  /** Further names that nothing else in its namespace can have. */
  readonly otherNames: readonly string[];
  readonly isUp: boolean;
}

/** An address of a device, as it can be given to another one. */
export interface NetworkAddress {
  /** IFA_F_*. */
  readonly flags: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  readonly family: number;
  readonly prefixLength: number;
  /** The address, its peer's, broadcast, metric. */
  readonly attributes: readonly Attribute[];
}

/** The sizes of struct ifinfomsg and of struct ifaddrmsg. rtnetlink(7) */
const [DEVICE, ADDRESS] = [16, 8];

/** The devices of a namespace. Throws SyscallError. */
export const networkDevices = (netlink: Netlink): NetworkDevice[] =>
  netlink.dump(C.RTM_GETLINK, new Uint8Array(DEVICE), "list the network devices").map((message) => {
    const attributes = attributesOf(message, DEVICE);
    const others = attributesOf(attribute(attributes, C.IFLA_PROP_LIST) ?? new Uint8Array(0));
    return {
      index: viewOf(message).getInt32(4, true),
      name: fromCstring(attribute(attributes, C.IFLA_IFNAME) ?? new Uint8Array(0)),
      otherNames: others.filter(([type]) => type === C.IFLA_ALT_IFNAME).map(([, name]) => fromCstring(name)),
      isUp: (viewOf(message).getUint32(8, true) & C.IFF_UP) !== 0,
    };
  });

/** Moves a device to another namespace, where it is called `name`, and down. Throws SyscallError. */
export function moveDevice(netlink: Netlink, device: NetworkDevice, namespace: Fd, name: string): void {
  const attributes: Attribute[] = [
    [C.IFLA_IFNAME, cstring(name)],
    [C.IFLA_NET_NS_FD, uint32(namespace)],
  ];
  netlink.request(C.RTM_NEWLINK, 0, deviceHeader(device.index, 0), attributes, `move ${quote(device.name)}`);
}

/** Has a device take part in its network. Throws SyscallError. */
export function setUp(netlink: Netlink, device: NetworkDevice): void {
  netlink.request(C.RTM_NEWLINK, 0, deviceHeader(device.index, C.IFF_UP), [], `set ${quote(device.name)} up`);
}

/** Removes a device that is only software's. Throws SyscallError. */
export function deleteDevice(netlink: Netlink, device: NetworkDevice): void {
  netlink.request(C.RTM_DELLINK, 0, deviceHeader(device.index, 0), [], `delete ${quote(device.name)}`);
}

function deviceHeader(index: number, flags: number): Uint8Array {
  const header = new Uint8Array(DEVICE);
  const view = viewOf(header);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  return header;
}

/** The addresses of a device. Throws SyscallError. */
export function addressesOf(netlink: Netlink, device: NetworkDevice): NetworkAddress[] {
  const messages = netlink.dump(C.RTM_GETADDR, new Uint8Array(ADDRESS), "list the network addresses");
  return messages
    .filter((message) => viewOf(message).getUint32(4, true) === device.index)
    .map((message) => {
      const attributes = attributesOf(message, ADDRESS);
      const [family, prefixLength, flags, scope] = message;
      const more = attribute(attributes, C.IFA_FLAGS);
      return {
        ...{ family, prefixLength, scope },
        flags: more === undefined ? flags : viewOf(more).getUint32(0, true),
        attributes: attributes.filter(([type]) => KEPT.includes(type)),
      };
    });
}

/** What an address is: the rest tells of the device that has it, or of how it comes to be there. */
const KEPT: readonly number[] = [C.IFA_ADDRESS, C.IFA_LOCAL, C.IFA_BROADCAST, C.IFA_RT_PRIORITY];

/** The flags that are asked for with an address; others are the kernel's. */
const ASKED = C.IFA_F_NODAD | C.IFA_F_HOMEADDRESS | C.IFA_F_MANAGETEMPADDR | C.IFA_F_NOPREFIXROUTE | C.IFA_F_MCAUTOJOIN;

/** Gives a device an address, for good. Throws SyscallError. */
export function addAddress(netlink: Netlink, device: NetworkDevice, address: NetworkAddress): void {
  const { family, prefixLength, flags, scope, attributes } = address;
  const header = Uint8Array.of(family, prefixLength, 0, scope, 0, 0, 0, 0);
  viewOf(header).setUint32(4, device.index, true);
  const all: Attribute[] = [...attributes, [C.IFA_FLAGS, uint32(flags & ASKED)]];
  const action = `give ${quote(device.name)} its address`;
  netlink.request(C.RTM_NEWADDR, C.NLM_F_CREATE | C.NLM_F_EXCL, header, all, action);
}
