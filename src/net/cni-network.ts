import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { type CniParameters, callPlugin } from "./cni-plugin.js";
import { iptables } from "./iptables.js";
import { formatMapping, type PortMapping } from "./port-mapping.js";

/** The configuration of one plugin; what else it has is the plugin's own. */
export interface PluginConfig {
  readonly type: string;
  /** What of the runtime's settings the plugin takes, by name: "portMappings", "ips", "mac". */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [property: string]: unknown;
}

/** A network: the plugins that attach a container to it, in order (CNI specification 1.0.0, "Configuration format"). */
export interface CniNetwork {
  readonly cniVersion: string;
  readonly name: string;
  readonly disableCheck?: boolean;
  readonly plugins: readonly PluginConfig[];
}

/** What plugins tell of an attachment ("Success"); what else there is goes from one to the next. */
export interface CniResult {
  readonly ips?: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly dns?: { readonly nameservers?: readonly string[]; readonly search?: readonly string[] };
}

/** A container's place in a network: all that its removal needs, too. */
export interface Attachment {
  readonly network: CniNetwork;
  readonly ifname: string;
  readonly args: string;
  /** Settings by the name of the capability that takes them. */
  readonly runtimeConfig: Readonly<Record<string, unknown>>;
  /** What the last plugin has told; undefined where they have not all been through. */
  readonly result?: CniResult;
}

/** The container that is attached. */
export interface Sandbox {
  readonly containerId: string;
  readonly netns: string;
}

/** Attaches a container. Returns the last plugin's result. Throws Failure; then what was done is left to `detach`. */
export function attach(sandbox: Sandbox, attachment: Attachment): CniResult {
  let result: CniResult = {};
  attachment.network.plugins.forEach((plugin, i) => {
    const previous = i === 0 ? undefined : result;
    result = call("ADD", sandbox, attachment, plugin, previous) as CniResult;
    if (typeof result !== "object" || result === null)
      throw new Failure(nameOf(attachment), { cause: `plugin ${quote(plugin.type)} prints no result` });
  });
  return result;
}

/** Takes an attachment back, done or half done: again is no error. Throws Failure. */
export function detach(sandbox: Sandbox, attachment: Attachment): void {
  for (const plugin of attachment.network.plugins.toReversed())
    call("DEL", sandbox, attachment, plugin, attachment.result);
}

/** Asks the plugins whether an attachment is as they have made it. Throws Failure where not. */
export function check(sandbox: Sandbox, attachment: Attachment): void {
  const { network, result } = attachment;
  if (network.disableCheck) return;
  for (const plugin of network.plugins)
    if (isCheckedHere(plugin, attachment)) checkPorts(attachment);
    else call("CHECK", sandbox, attachment, plugin, result);
}

/** portmap, by iptables, looks for rules of IPv6 also where it had none to make (version 1.1). */
const isCheckedHere = ({ type, backend }: PluginConfig, { result }: Attachment): boolean =>
  type === "portmap" && backend !== "nftables" && !result?.ips?.some(({ address }) => address.includes(":"));

/** Looks for the rules of IPv4 that lead ports to a container. Throws Failure. */
function checkPorts(attachment: Attachment): void {
  const ports = portsOf(attachment);
  if (ports.length === 0) return;
  const addresses = (attachment.result?.ips ?? []).map(({ address }) => address.replace(/\/.*/, ""));
  const rules = iptables(4, "-t", "nat", "-S").split("\n");
  for (const mapping of ports) {
    const { hostIP, hostPort, containerPort, protocol } = mapping;
    const wanted = [
      ` -p ${protocol} `,
      ` --dport ${hostPort} `,
      ...(hostIP === undefined ? [] : [` -d ${hostIP}/32 `]),
    ];
    const ends = addresses.map((address) => ` -j DNAT --to-destination ${address}:${containerPort}`);
    if (!rules.some((rule) => wanted.every((part) => rule.includes(part)) && ends.some((end) => rule.endsWith(end))))
      throw new Failure(nameOf(attachment), { cause: `no rule leads port ${formatMapping(mapping)} to the container` });
  }
}

/** The ports of the host's that lead through an attachment. */
export const portsOf = ({ runtimeConfig }: Attachment): readonly PortMapping[] =>
  (runtimeConfig.portMappings ?? []) as readonly PortMapping[];

const nameOf = ({ network }: Attachment): string => `network ${quote(network.name)}`;

function call(
  command: CniParameters["command"],
  { containerId, netns }: Sandbox,
  attachment: Attachment,
  plugin: PluginConfig,
  prevResult: CniResult | undefined,
): unknown {
  const { network, ifname, args, runtimeConfig } = attachment;
  const { capabilities = {}, ...own } = plugin;
  const taken = Object.entries(runtimeConfig).filter(([name]) => capabilities[name]);
  const config = {
    ...own,
    cniVersion: network.cniVersion,
    name: network.name,
    ...(taken.length > 0 && { runtimeConfig: Object.fromEntries(taken) }),
    ...(prevResult && { prevResult }),
  };
  try {
    return callPlugin(plugin.type, { command, containerId, netns, ifname, args }, config);
  } catch (cause) {
    throw cause instanceof Failure ? new Failure(nameOf(attachment), { cause }) : cause;
  }
}
