import type { Config, MemoryPolicyFlag, MemoryPolicyMode } from "../../generated/config.js";
import { parseNumberList } from "../../linux/number-list.js";
import { wrong } from "../explain.js";

/** The modes, and whether they go with nodes. set_mempolicy(2) */
export const MEMORY_POLICY_MODES: Record<MemoryPolicyMode, "without" | "with" | "either"> = {
  MPOL_DEFAULT: "without",
  MPOL_BIND: "with",
  MPOL_INTERLEAVE: "with",
  MPOL_WEIGHTED_INTERLEAVE: "with",
  MPOL_PREFERRED: "either",
  MPOL_PREFERRED_MANY: "with",
  MPOL_LOCAL: "without",
};

/** The flags, and the modes that each goes with. */
export const MEMORY_POLICY_FLAGS: Record<MemoryPolicyFlag, (mode: MemoryPolicyMode) => boolean> = {
  MPOL_F_NUMA_BALANCING: (mode) => mode === "MPOL_BIND" || mode === "MPOL_PREFERRED_MANY",
  MPOL_F_RELATIVE_NODES: (mode) => MEMORY_POLICY_MODES[mode] !== "without",
  MPOL_F_STATIC_NODES: (mode) => MEMORY_POLICY_MODES[mode] !== "without",
};

/** Linux has at most 1024 nodes. */
export const LARGEST_NODE = 1023;

/** config-linux.md, "Memory policy". */
export function memoryPolicyIsComplete({ linux }: Config): void {
  if (linux?.memoryPolicy === undefined) return;
  const { mode, nodes = "", flags = [] } = linux.memoryPolicy;
  const path = (property: string) => `linux.memoryPolicy.${property}`;
  if (mode === undefined) throw wrong(path("mode"), "is required");
  if (nodes !== "" && parseNumberList(nodes, LARGEST_NODE + 1) === undefined)
    throw wrong(path("nodes"), `must be a list such as "0-3,7" of nodes from 0 to ${LARGEST_NODE}`, nodes);
  if (nodes !== "" && MEMORY_POLICY_MODES[mode] === "without")
    throw wrong(path("nodes"), `must be empty for ${mode}`, nodes);
  if (nodes === "" && MEMORY_POLICY_MODES[mode] === "with") throw wrong(path("nodes"), `is required for ${mode}`);
  flags.forEach((flag, i) => {
    const at = path(`flags[${i}]`);
    if (!MEMORY_POLICY_FLAGS[flag](mode)) throw wrong(at, `must not be set for ${mode}`, flag);
    if (flag === "MPOL_F_NUMA_BALANCING") return;
    if (nodes === "") throw wrong(at, "needs nodes", flag);
    const other = flag === "MPOL_F_STATIC_NODES" ? "MPOL_F_RELATIVE_NODES" : "MPOL_F_STATIC_NODES";
    if (flags.includes(other)) throw wrong(at, `must not be set beside ${other}`, flag);
  });
}
