import { LARGEST_NODE } from "../config/rules/memory-policy.js";
import type { MemoryPolicy } from "../generated/config.js";
import { maskOf, parseNumberList } from "../linux/number-list.js";
import { type Builder, flags } from "./builder.js";

/** Compiles the NUMA memory policy, which the user's program inherits. set_mempolicy(2) */
export function compileMemoryPolicy(
  b: Builder,
  { mode = "MPOL_DEFAULT", nodes, flags: names = [] }: MemoryPolicy,
): void {
  b.about(`set the memory policy to ${mode}${nodes ? ` of nodes ${nodes}` : ""}`, "linux.memoryPolicy", {
    EINVAL: "are these nodes there, with memory, and in linux.resources.cpu.mems? does this kernel have the mode?",
  });
  if (!nodes) {
    b.call("set_mempolicy", [flags(mode, ...names), 0, 0]);
    return;
  }
  const mask = maskOf(parseNumberList(nodes, LARGEST_NODE + 1) ?? 0n);
  // The kernel takes one bit less than it is told of.
  const count = mask.length * 8 + 1;
  b.call("set_mempolicy", [flags(mode, ...names), { bytes: mask, shown: nodes }, count]);
}
