import type { Device, DeviceRule } from "../generated/config.js";
import { DEFAULT_DEVICES } from "../linux/default-devices.js";
import { quote } from "../linux/file.js";
import { refusal } from "./setting.js";

/** What can be done with a device, as bits of a mask: the kernel's BPF_DEVCG_ACC_* (linux/bpf.h). */
export const ACCESS = { m: 1, r: 2, w: 4 } as const;
const EVERY_ACCESS = ACCESS.m | ACCESS.r | ACCESS.w;

/** A number that stands for all. */
export const ANY = -1;

/** Devices, and what can be done with them. */
export interface DeviceSet {
  type: "b" | "c";
  /** ANY for all. */
  major: number;
  /** ANY for all. */
  minor: number;
  /** Bits of ACCESS. */
  access: number;
}

/** Which devices a container may use. */
export interface DevicePolicy {
  /** What holds for an access that no rule is about. */
  allow: boolean;
  /** For each kind of access to a device the last rule holds that is about it. */
  rules: (DeviceSet & { allow: boolean; property: string })[];
}

/** What every container may do beside the default devices: make any device file; use terminals of its own. */
const ALWAYS: DeviceSet[] = [
  { type: "c", major: ANY, minor: ANY, access: ACCESS.m },
  { type: "b", major: ANY, minor: ANY, access: ACCESS.m },
  { type: "c", major: 5, minor: 2, access: EVERY_ACCESS },
  { type: "c", major: 136, minor: ANY, access: EVERY_ACCESS },
];

/**
 * The policy of linux.resources.devices: nothing is allowed to begin with, and the default devices are at the end.
 *
 * @param devices linux.devices, which may have another device in the place of a default one
 * @throws Failure by JSON path
 */
export function devicePolicy(rules: readonly DeviceRule[] = [], devices: readonly Device[] = []): DevicePolicy {
  const policy: DevicePolicy = { allow: false, rules: [] };
  rules.forEach((rule, i) => {
    const property = `devices[${i}]`;
    const access = parseAccess(property, rule.access);
    const { allow, major = ANY, minor = ANY } = rule;
    const type = rule.type || "a";
    if (type === "a" && major === ANY && minor === ANY && access === EVERY_ACCESS) {
      policy.allow = allow;
      policy.rules = [];
    } else if (type === "a") {
      add(policy, allow, { type: "b", major, minor, access }, property);
      add(policy, allow, { type: "c", major, minor, access }, property);
    } else if (type === "b" || type === "c") {
      add(policy, allow, { type, major, minor, access }, property);
    } else throw refusal(`${property}.type`, `${quote(type)} is none of "a", "b" and "c"`);
  });
  for (const set of ALWAYS) add(policy, true, set, "devices");
  for (const { path, major, minor } of DEFAULT_DEVICES) {
    if (devices.some((device) => device.path === path)) continue;
    add(policy, true, { type: "c", major, minor, access: EVERY_ACCESS }, "devices");
  }
  return policy;
}

function parseAccess(property: string, text = "rwm"): number {
  let access = 0;
  for (const letter of text) {
    const bit = ACCESS[letter as keyof typeof ACCESS];
    if (bit === undefined) throw refusal(`${property}.access`, `${quote(text)} is not made of "r", "w" and "m"`);
    access |= bit;
  }
  if (access === 0) throw refusal(`${property}.access`, "is empty");
  return access;
}

/** Adds a rule, unless it changes nothing: what it says holds already, and no earlier rule says otherwise. */
function add(policy: DevicePolicy, allow: boolean, set: DeviceSet, property: string): void {
  if (allow === policy.allow && !policy.rules.some((rule) => rule.allow !== allow && overlap(rule, set))) return;
  policy.rules.push({ ...set, allow, property });
}

/**
 * The exceptions to what a policy says in general, as cgroup v1 writes them: "c 1:* rwm".
 *
 * @throws Failure by JSON path if a rule takes a part out of an exception: v1 cannot do that
 */
export function exceptionsOf({ allow, rules }: DevicePolicy): string[] {
  const exceptions = new Map<string, DeviceSet>();
  for (const rule of rules) {
    const { type, major, minor, access, property } = rule;
    if (rule.allow !== allow) {
      const name = `${type} ${major === ANY ? "*" : major}:${minor === ANY ? "*" : minor}`;
      exceptions.set(name, { type, major, minor, access: access | (exceptions.get(name)?.access ?? 0) });
      continue;
    }
    for (const [name, set] of exceptions) {
      if (!overlap(set, rule)) continue;
      if (!covers(rule, set)) {
        throw refusal(property, "takes a device out of a wider earlier rule, which cgroup v1 cannot do");
      }
      set.access &= ~access;
      if (set.access === 0) exceptions.delete(name);
    }
  }
  const written: string[] = [];
  for (const [name, { access }] of exceptions) written.push(`${name} ${LETTERS[access]}`);
  return written;
}

/** Kinds of access by their mask. */
export const LETTERS = ["", "m", "r", "rm", "w", "wm", "rw", "rwm"];

/** Whether there is an access to a device that is in both. */
const overlap = (a: DeviceSet, b: DeviceSet): boolean =>
  a.type === b.type && meet(a.major, b.major) && meet(a.minor, b.minor) && (a.access & b.access) !== 0;

const meet = (a: number, b: number): boolean => a === ANY || b === ANY || a === b;

/** Whether all the devices of the one are in the other. */
const covers = (wide: DeviceSet, narrow: DeviceSet): boolean =>
  (wide.major === ANY || wide.major === narrow.major) && (wide.minor === ANY || wide.minor === narrow.minor);
