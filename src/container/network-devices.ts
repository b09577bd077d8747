import { member } from "../config/explain.js";
import type { Config } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, open, quote } from "../linux/file.js";
import { Netlink } from "../linux/netlink.js";
import {
  addAddress,
  addressesOf,
  moveDevice,
  type NetworkAddress,
  type NetworkDevice,
  networkDevices,
  setUp,
} from "../linux/network-device.js";
import { sys } from "../linux/syscall.js";

/** A network namespace, and a conversation about what is in it. */
interface Network {
  readonly namespace: Fd;
  readonly netlink: Netlink;
}

/** A device that is to be moved: which it is, what it is called then, and its JSON path. */
interface Move {
  readonly device: NetworkDevice;
  readonly name: string;
  readonly from: string;
}

/** The runtime's network and a container's. */
export class NetworkPair {
  private constructor(
    private readonly outside: Network,
    private readonly inside: Network,
  ) {}

  /** Opens the network of this process and that of a container's init, by descriptors for `keep`. Throws Failure. */
  static open(pid: number, keep: (fd: Fd) => Fd): NetworkPair {
    const openNetwork = (namespace: Fd): Network => {
      const netlink = Netlink.open();
      keep(netlink.socket);
      return { namespace, netlink };
    };
    try {
      const own = keep(open("/proc/thread-self/ns/net", C.O_RDONLY));
      const other = keep(open(`/proc/${pid}/ns/net`, C.O_RDONLY));
      const outside = openNetwork(own);
      // A socket belongs to the network that it was opened in.
      sys("setns", other, C.CLONE_NEWNET);
      try {
        return new NetworkPair(outside, openNetwork(other));
      } finally {
        sys("setns", own, C.CLONE_NEWNET);
      }
    } catch (cause) {
      throw new Failure("linux.netDevices: enter the container's network namespace", { cause });
    }
  }

  /**
   * Moves linux.netDevices to the container (config-linux.md, "Network Devices"): under their names there, with those of
   * their addresses that are permanent and of global scope, and up. None is moved where there is no place for all.
   *
   * @param undo takes what takes back a move that was made
   * @throws Failure
   */
  moveIn({ linux }: Config, undo: (takeBack: () => void) => void): void {
    const { outside, inside } = this;
    for (const { device, name, from } of this.plan(linux?.netDevices ?? {}))
      try {
        const addresses = addressesOf(outside.netlink, device).filter(isLasting);
        const moved = move(device, name, outside, inside);
        undo(() => settle(move(moved, device.name, inside, outside), outside, addresses, device.isUp));
        settle(moved, inside, addresses, true);
      } catch (cause) {
        throw new Failure(`${from}: move the device into the container as ${quote(name)}`, { cause });
      }
  }

  /** Finds the devices, and names for them that are free. Throws Failure. */
  private plan(wanted: NonNullable<NonNullable<Config["linux"]>["netDevices"]>): Move[] {
    const there = networkDevices(this.outside.netlink);
    const taken = new Set(networkDevices(this.inside.netlink).flatMap(namesOf));
    return Object.entries(wanted).map(([hostName, { name }]) => {
      const from = member("linux.netDevices", hostName);
      const device = there.find((candidate) => namesOf(candidate).includes(hostName));
      if (device === undefined) throw new Failure(from, { cause: "there is no such network device" });
      const path = name ? `${from}.name` : from;
      const chosen = freeName(name || device.name, taken, path);
      taken.add(chosen);
      return { device, name: chosen, from };
    });
  }
}

/** Whether an address stays with a device: others were given by the network that it leaves. */
const isLasting = ({ flags, scope }: NetworkAddress): boolean =>
  (flags & C.IFA_F_PERMANENT) !== 0 && scope === C.RT_SCOPE_UNIVERSE;

/** Moves a device. Returns it as it is then. */
function move(device: NetworkDevice, name: string, from: Network, to: Network): NetworkDevice {
  moveDevice(from.netlink, device, to.namespace, name);
  return networkDevices(to.netlink).find((candidate) => candidate.name === name) as NetworkDevice;
}

/** Gives a device that was moved its addresses again. */
function settle(device: NetworkDevice, { netlink }: Network, addresses: readonly NetworkAddress[], up: boolean): void {
  for (const address of addresses) addAddress(netlink, device, address);
  if (up) setUp(netlink, device);
}

const namesOf = ({ name, otherNames }: NetworkDevice): string[] => [name, ...otherNames];

/** The longest name of a device, in bytes. */
const LONGEST = 15;

/** The name itself or, where it has a "%d", with the lowest number that makes it one that is free. Throws Failure. */
function freeName(name: string, taken: ReadonlySet<string>, path: string): string {
  if (!name.includes("%d")) {
    if (!taken.has(name)) return name;
    throw new Failure(path, { cause: `the container has a network device ${quote(name)} already` });
  }
  for (let number = 0; ; number++) {
    const numbered = name.replace("%d", String(number));
    if (numbered.length > LONGEST) throw new Failure(path, { cause: `${quote(name)} has no number left that is free` });
    if (!taken.has(numbered)) return numbered;
  }
}
