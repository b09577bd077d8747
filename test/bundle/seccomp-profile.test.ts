import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type SeccompProfile, seccompOf } from "../../src/bundle/seccomp-profile.js";

const [ARCH, HERE, OTHER] =
  process.arch === "arm64"
    ? (["arm64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"] as const)
    : (["amd64", "SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"] as const);

const allow = (name: string, conditions: object = {}) =>
  ({ names: [name], action: "SCMP_ACT_ALLOW", ...conditions }) as const;

/** The names that a profile's rules with conditions allow. */
const allowed = (
  rules: NonNullable<SeccompProfile["syscalls"]>,
  capabilities: string[] = [],
  kernel = "6.1.0-18-amd64",
) =>
  seccompOf({ defaultAction: "SCMP_ACT_ERRNO", archMap: [], syscalls: rules }, capabilities, kernel).syscalls?.flatMap(
    ({ names }) => names,
  );

test("rules hold by capabilities, architecture and kernel", () => {
  const rules = [
    allow("always", { includes: {}, excludes: null, args: null, comment: "x" }),
    allow("admin", { includes: { caps: ["CAP_SYS_ADMIN"] } }),
    allow("both", { includes: { caps: ["CAP_SYS_ADMIN", "CAP_BPF"] } }),
    allow("other", { excludes: { caps: ["CAP_SYS_ADMIN", "CAP_BPF"] } }),
    allow("here", { includes: { arches: ["ppc64le", ARCH] } }),
    allow("there", { includes: { arches: ["ppc64le"] } }),
    allow("not-here", { excludes: { arches: [ARCH] } }),
    allow("new", { includes: { minKernel: "6.2" } }),
    allow("old", { includes: { minKernel: "4.8" } }),
    allow("before", { excludes: { minKernel: "4.8" } }),
  ];
  assert.deepEqual(allowed(rules), ["always", "other", "here", "old"]);
  assert.deepEqual(allowed(rules, ["CAP_SYS_ADMIN"]), ["always", "admin", "here", "old"]);
  assert.deepEqual(allowed(rules, ["CAP_BPF", "CAP_SYS_ADMIN"], "6.10"), [
    "always",
    "admin",
    "both",
    "here",
    "new",
    "old",
  ]);
});

test("a profile becomes a filter of this machine's architectures, a filter stays what it is", () => {
  const profile: SeccompProfile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    archMap: [{ architecture: OTHER }, { architecture: HERE, subArchitectures: ["SCMP_ARCH_X86"] }],
    syscalls: [{ name: "old", action: "SCMP_ACT_ERRNO", errnoRet: 38, args: [] }],
  };
  assert.deepEqual(seccompOf(profile, []), {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: [HERE, "SCMP_ARCH_X86"],
    syscalls: [{ names: ["old"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
  });
  const filter: SeccompProfile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [allow("x")] };
  assert.equal(seccompOf(filter, []), filter);
});

const PODMANS = "/usr/share/containers/seccomp.json";

test("podman's profile is taken", { skip: existsSync(PODMANS) ? false : `needs ${PODMANS}` }, () => {
  const profile: SeccompProfile = JSON.parse(readFileSync(PODMANS, "utf8"));
  const names = (capabilities: string[]) =>
    (seccompOf(profile, capabilities).syscalls ?? []).flatMap(({ names, action }) =>
      action === "SCMP_ACT_ALLOW" ? names : [],
    );
  assert.ok(names([]).includes("openat") && !names([]).includes("bpf") && names(["CAP_SYS_ADMIN"]).includes("bpf"));
});
