import { Failure } from "../linux/failure.js";
import { quote, readlink } from "../linux/file.js";
import { processStatus } from "../linux/process.js";
import { parseSubnet, requireAddress } from "./address.js";
import { bridgeNetwork, DEFAULT_NETWORK } from "./bridge-network.js";
import { type Attachment, attach, type CniNetwork, check, portsOf } from "./cni-network.js";
import { exclusively } from "./exclusively.js";
import { findNetwork } from "./find-network.js";
import { assignPorts, type TakenPort } from "./host-ports.js";
import { parseChoice } from "./network-choice.js";
import { type NetworkFacts, networkFiles, parseHost, writeFiles } from "./network-files.js";
import { isOwn, leasesIn, removeUnusedNetworks, setUpNetwork } from "./own-networks.js";
import { type PortMapping, parsePublish } from "./port-mapping.js";
import { isAlive, type NetRecord, Records } from "./records.js";
import { collect, release } from "./release.js";

/** What is asked for a container, as the command line has it. */
export interface NetworkWishes {
  /** "none", "host", "container:ID", or names of networks: eth0 is in the first of them. */
  readonly net?: readonly string[];
  /** What follows is for the first network. */
  readonly ip: readonly string[];
  readonly mac?: string;
  readonly subnet: readonly string[];
  readonly publish: readonly string[];
  readonly dns: readonly string[];
  /** "NAME:ADDRESS". */
  readonly addHost: readonly string[];
  readonly hostname?: string;
}

/** The container: as its state tells. */
export interface Container {
  readonly id: string;
  readonly pid: number;
  readonly bundle: string;
}

/** Where fdnet keeps its records, and where networks are described. */
export interface Places {
  readonly root: string;
  readonly networks: string;
}

export const DEFAULT_ROOT = "/run/fdnet";

/** What every network namespace needs. */
const LOOPBACK: Attachment = {
  network: { cniVersion: "1.0.0", name: "loopback", plugins: [{ type: "loopback" }] },
  ifname: "lo",
  args: "",
  runtimeConfig: {},
};

/** Gives a container its network. Throws Failure; nothing is left then. */
export function connect(places: Places, container: Container, wishes: NetworkWishes): NetRecord | undefined {
  const { root } = places;
  const { id, pid, bundle } = container;
  const status = processStatus(pid);
  if (status === undefined) throw new Failure(`container ${quote(id)}`, { cause: `there is no process ${pid}` });
  checkWishes(wishes);
  const choice = parseChoice(wishes.net);
  collect(root);
  const hostname = wishes.hostname ?? id;
  const hosts = wishes.addHost.map(parseHost);
  const facts = { hostname, nameservers: wishes.dns, hosts, addresses: [], isHost: choice.kind === "host" };
  if (choice.kind === "networks") {
    const attachments = [LOOPBACK, ...choice.names.map((name, i) => plan(places, name, i, wishes))];
    return attachAll(root, { id, pid, startTime: status.startTime, bundle, attachments, files: {} }, facts);
  }
  if (choice.kind === "container") {
    const other = Records.peek(root, choice.id);
    if (other === undefined)
      throw new Failure(`container ${quote(choice.id)}`, { cause: "fdnet knows no network of it" });
    writeFiles(bundle, { ...other.files, hostname: `${hostname}\n` });
  } else writeFiles(bundle, networkFiles(facts));
  return undefined;
}

/**
 * Attaches a container to networks as its record says, and notes in that what came of it; `facts` as far as they are
 * known. Throws Failure; nothing is left then.
 */
function attachAll(root: string, wished: NetRecord, facts: NetworkFacts): NetRecord {
  const { id, pid, bundle } = wished;
  if (readlink(`/proc/${pid}/ns/net`) === readlink("/proc/self/ns/net"))
    throw new Failure(`container ${quote(id)}`, {
      cause: "it has the host's network",
      hint: "`--net host` is for that",
    });
  const records = newRecords(root, id);
  try {
    let record = wished;
    const note = (more: Partial<NetRecord>) => {
      record = { ...record, ...more };
      records.save(record);
    };
    exclusively(root, () => note({ attachments: withHostPorts(wished.attachments, takenPorts(root, id)) }));
    const sandbox = { containerId: id, netns: records.keepNamespace(pid) };
    record.attachments.forEach((attachment, i) => {
      if (isOwn(root, attachment.network)) setUpNetwork(root, attachment.network);
      const add = () => attach(sandbox, attachment);
      // Plugins at work at once on the chains that all ports share would make some of their rules twice, or fail.
      const result = portsOf(attachment).length > 0 ? exclusively(root, add) : add();
      note({ attachments: record.attachments.with(i, { ...attachment, result }) });
    });
    const told = record.attachments.flatMap(({ result }) => result?.dns?.nameservers ?? []);
    const nameservers = facts.nameservers.length > 0 ? facts.nameservers : told;
    const files = networkFiles({ ...facts, addresses: addressesOf(record), nameservers });
    writeFiles(bundle, files);
    note({ files });
    return record;
  } catch (error) {
    undo(root, records);
    throw error;
  } finally {
    records.close();
  }
}

/** The directory of a container that has none of an earlier one's networks any more. Throws Failure where it has some. */
function newRecords(root: string, id: string): Records {
  const records = Records.make(root, id);
  const before = records.read();
  if (before === undefined) return records;
  try {
    if (isAlive(before)) throw new Failure(`container ${quote(id)}`, { cause: "it has a network" });
    release(records);
  } finally {
    records.close();
  }
  // With what was in it, the directory is gone.
  return newRecords(root, id);
}

/** Attachments whose ports of the host's are all known. Throws Failure. */
const withHostPorts = (attachments: readonly Attachment[], taken: readonly TakenPort[]): Attachment[] =>
  attachments.map((attachment) => {
    const mappings = portsOf(attachment);
    if (mappings.length === 0) return attachment;
    const portMappings = assignPorts(mappings, taken);
    return { ...attachment, runtimeConfig: { ...attachment.runtimeConfig, portMappings } };
  });

/** The ports that other containers have. */
const takenPorts = (root: string, id: string): TakenPort[] =>
  Records.list(root)
    .filter((other) => other !== id)
    .flatMap((other) => (Records.peek(root, other)?.attachments ?? []).map((attachment) => ({ other, attachment })))
    .flatMap(({ other, attachment }) => portsOf(attachment).map((mapping) => ({ mapping, id: other })));

/** Takes back what was half done; what cannot be is left to `gc`. */
function undo(root: string, records: Records): void {
  try {
    release(records);
    removeUnusedNetworks(root);
  } catch {
    // The error that led here says more.
  }
}

/** Checks what can be checked before anything is done. Throws Failure. */
export function checkWishes({ net, ip, mac, subnet, publish, dns, addHost, hostname }: NetworkWishes): void {
  const choice = parseChoice(net);
  for (const address of ip) requireAddress("ip", address);
  for (const address of dns) requireAddress("dns", address);
  for (const text of addHost) parseHost(text);
  if (mac !== undefined && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
    throw new Failure(`--mac: ${quote(mac)}`, { cause: "not of the form 02:00:00:00:00:01" });
  for (const text of publish) parsePublish(text);
  for (const text of subnet) parseSubnet(text);
  if (hostname !== undefined && !/^[\w.-]{1,64}$/.test(hostname))
    throw new Failure(`--hostname: ${quote(hostname)}`, { cause: "not 1 to 64 letters, digits, and _ . -" });
  const asked = { ip, mac: mac === undefined ? [] : [mac], subnet, publish };
  const [flag] = Object.entries(asked).flatMap(([name, values]) => values.map((value) => `--${name}=${value}`));
  if (choice.kind !== "networks" && flag !== undefined)
    throw new Failure(`--net: ${quote((net ?? [])[0])}`, { cause: `${flag} cannot be had there` });
}

/** What is to be done to attach a container to a network, the first or a further one. Throws Failure. */
function plan({ root, networks }: Places, name: string, index: number, wishes: NetworkWishes): Attachment {
  const isFirst = index === 0;
  const { ip, mac, subnet, publish } = isFirst ? wishes : { ip: [], mac: undefined, subnet: [], publish: [] };
  const ports = publish.flatMap(parsePublish);
  const network = networkOf(name);
  const runtimeConfig: Record<string, unknown> = {};
  const args = ["IgnoreUnknown=1"];
  const give = (capability: string, value: unknown, argument?: string) => {
    if (network.plugins.some(({ capabilities }) => capabilities?.[capability])) runtimeConfig[capability] = value;
    else if (argument !== undefined) args.push(argument);
    else
      throw new Failure(`network ${quote(name)}`, {
        cause: `none of its plugins has the capability ${quote(capability)}`,
      });
  };
  if (ports.length > 0) give("portMappings", ports satisfies PortMapping[]);
  if (ip.length > 0) give("ips", ip, ip.length === 1 ? `IP=${ip[0]}` : undefined);
  if (mac !== undefined) give("mac", mac, `MAC=${mac}`);
  return { network, ifname: `eth${index}`, args: args.join(";"), runtimeConfig };

  function networkOf(called: string): CniNetwork {
    const broken: Failure[] = [];
    const configured = findNetwork(networks, called, (failure) => broken.push(failure));
    if (configured !== undefined && subnet.length > 0)
      throw new Failure(`network ${quote(called)}`, {
        cause: `${quote(networks)} describes it: it has its own subnets`,
      });
    if (configured !== undefined) return configured;
    if (subnet.length === 0 && called !== DEFAULT_NETWORK)
      throw new Failure(`network ${quote(called)}`, {
        cause: broken[0] ?? `no file in ${quote(networks)} describes it`,
        hint: "--subnet makes one",
      });
    return bridgeNetwork({
      name: called,
      subnets: subnet,
      isFirst,
      publishes: ports.length > 0,
      leases: leasesIn(root),
    });
  }
}

/** Takes a container's network back; none is fine. With `force` its plugins may fail. Throws Failure. */
export function disconnect(root: string, id: string, force: boolean): void {
  const records = Records.open(root, id);
  try {
    if (records !== undefined) release(records, force);
  } finally {
    records?.close();
  }
  collect(root);
}

/** A container's places in networks, without the one that leads to itself. */
export const networkAttachments = ({ attachments }: NetRecord): Attachment[] =>
  attachments.filter(({ ifname }) => ifname !== LOOPBACK.ifname);

/** A container's addresses, the first network's first, without the length of the network's part. */
export const addressesOf = (record: NetRecord): string[] =>
  networkAttachments(record).flatMap(({ result }) =>
    (result?.ips ?? []).map(({ address }) => address.replace(/\/.*/, "")),
  );

/** A container's record, once its plugins have seen, if they are asked, that all is there. Throws Failure. */
export function inspect(root: string, id: string, checks: boolean): NetRecord {
  const records = Records.open(root, id);
  try {
    const record = records?.read();
    if (records === undefined || record === undefined)
      throw new Failure(`container ${quote(id)}`, { cause: "fdnet knows no network of it" });
    const sandbox = { containerId: id, netns: records.namespace };
    if (checks) for (const attachment of record.attachments) check(sandbox, attachment);
    return record;
  } finally {
    records?.close();
  }
}
