import type { Config, Linux, Process } from "../../src/generated/config.js";
import { compile } from "../../src/init/compile.js";
import type { Facts } from "../../src/init/facts.js";
import { type ListedStep, records } from "../../src/machine/text.js";

/** A host and a caller: root with all capabilities, no cgroups. */
export const FACTS: Facts = {
  id: "c",
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  preserveFds: 0,
  privileged: true,
  userNamespace: false,
  makesMounts: false,
  newKeyring: false,
  permitted: (1n << 41n) - 1n,
  home: "/home",
  cgroup: { version: 1, tasks: [], into: false, hierarchies: [] },
  places: new Map(),
};

/** The smallest config with a mount namespace, and more. */
export interface Parts {
  config?: Partial<Config>;
  process?: Partial<Process>;
  linux?: Linux;
  facts?: Partial<Facts>;
}

function listed({ config, process, linux, facts }: Parts): ListedStep[] {
  const whole: Config = {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: { cwd: "/", args: ["/bin/x"], ...process },
    linux: { namespaces: [{ type: "mount" }], ...linux },
    ...config,
  };
  const { launcher, init } = compile(whole, { ...FACTS, ...facts });
  return records([launcher, init]);
}

/**
 * The steps of a container that say a sentence or stem from a property, in order; jumps are told by their distance, so
 * that what comes before and between does not matter.
 */
export const steps = (about: RegExp, parts: Parts = {}): string[] =>
  listed(parts)
    .filter(({ says, from = "" }) => about.test(says) || about.test(from))
    .map(({ text, number }) => text.replace(/step (\d+)/g, (_, target) => `+${target - number}`));

/** The sentences of a container's steps, in order, each with the property that it stems from. */
export function sentences(parts: Parts = {}): string[] {
  const told = listed(parts).map(({ says, from }) => (from === undefined ? says : `${says} (${from})`));
  return told.filter((sentence, i) => sentence !== told[i - 1]);
}
