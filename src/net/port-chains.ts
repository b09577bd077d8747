import { type Family, iptablesIfThere } from "./iptables.js";

const [DNAT, MARK, MASQUERADE] = ["CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"];
const COMMENT = ["-m", "comment", "--comment", "CNI portfwd requiring masquerade"];
const LOCAL = ["-m", "addrtype", "--dst-type", "LOCAL"];

/**
 * Removes the chains that the plugin portmap makes for all containers, and leaves behind, if no container has a port
 * there. It makes them again when it needs them.
 */
export function removeEmptyPortChains(family: Family): void {
  const rules = iptablesIfThere(family, "-t", "nat", "-S") ?? "";
  // One that was killed at its work may have made some of them.
  if (!rules.includes("-N CNI-HOSTPORT-") || rules.includes(`-A ${DNAT} `)) return;
  const nat = (...change: string[]) => iptablesIfThere(family, "-t", "nat", ...change) !== undefined;
  for (const rule of [
    ...["PREROUTING", "OUTPUT"].map((chain) => [chain, ...LOCAL, "-j", DNAT]),
    ["POSTROUTING", ...COMMENT, "-j", MASQUERADE],
  ]) {
    // Plugins that ran at once may have made it once each.
    while (nat("-D", ...rule));
  }
  for (const chain of [MARK, MASQUERADE]) nat("-F", chain);
  for (const chain of [DNAT, MARK, MASQUERADE]) nat("-X", chain);
}
