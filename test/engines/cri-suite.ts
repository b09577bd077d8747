import { test } from "node:test";
import { Cri } from "./cri.js";
import { MISSING_CRI } from "./cri-client.js";
import { FEATURES } from "./cri-features.js";
import { suite } from "./suite.js";

const PROGRAMS = ["containerd", "ctr", "containerd-shim-runc-v2", "/usr/lib/cni/bridge", "curl"];

/** The tests of CRI, with the containerd that $PATH leads to. */
export function criSuite(name: string, missing: string | false = false): void {
  const skip = MISSING_CRI || missing;
  if (skip) test(name, { skip });
  else suite(name, PROGRAMS, Cri.open, FEATURES);
}
