import assert from "node:assert/strict";
import { validateFeatures } from "../../src/generated/validate-features.js";
import { CAPABILITIES } from "../../src/linux/capabilities.js";
import { FEATURES } from "../coverage/features.js";
import { system } from "./harness.js";

/** The members of the document that `features` prints, as runtime-spec 1.3 names them (features.md). */
const MEMBERS = [
  "ociVersionMin ociVersionMax hooks mountOptions annotations potentiallyUnsafeConfigAnnotations",
  "linux.namespaces linux.capabilities linux.cgroup.v1 linux.cgroup.v2 linux.cgroup.systemd linux.cgroup.systemdUser",
  "linux.cgroup.rdma linux.seccomp.enabled linux.seccomp.actions linux.seccomp.operators linux.seccomp.archs",
  "linux.seccomp.knownFlags linux.seccomp.supportedFlags linux.apparmor.enabled linux.selinux.enabled",
  "linux.intelRdt.enabled linux.intelRdt.schemata linux.intelRdt.monitoring linux.memoryPolicy.modes",
  "linux.memoryPolicy.flags linux.mountExtensions.idmap.enabled linux.netDevices.enabled",
].flatMap((line) => line.split(" "));

/** The values of its lists, which the specification defines; mount options, seccomp's architectures aside. */
const LISTS: Record<string, string> = {
  hooks: "prestart createRuntime createContainer startContainer poststart poststop",
  "linux.namespaces": "cgroup ipc mount network pid time user uts",
  "linux.seccomp.actions":
    "SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP SCMP_ACT_ERRNO SCMP_ACT_TRACE " +
    "SCMP_ACT_ALLOW SCMP_ACT_LOG SCMP_ACT_NOTIFY",
  "linux.seccomp.operators":
    "SCMP_CMP_NE SCMP_CMP_LT SCMP_CMP_LE SCMP_CMP_EQ SCMP_CMP_GE SCMP_CMP_GT SCMP_CMP_MASKED_EQ",
  "linux.seccomp.knownFlags":
    "SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW " +
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
  "linux.memoryPolicy.modes":
    "MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED_MANY MPOL_WEIGHTED_INTERLEAVE",
  "linux.memoryPolicy.flags": "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES",
};

/** What a test exercises, by the list that tells of it. */
const EXERCISED: Record<string, string> = {
  hooks: "hook",
  mountOptions: "mount option",
  "linux.namespaces": "namespace",
  "linux.capabilities": "capability",
  "linux.seccomp.actions": "seccomp action",
  "linux.seccomp.operators": "seccomp operator",
  "linux.seccomp.archs": "seccomp architecture",
  "linux.seccomp.knownFlags": "seccomp flag",
  "linux.seccomp.supportedFlags": "seccomp flag",
  "linux.memoryPolicy.modes": "memory policy mode",
  "linux.memoryPolicy.flags": "memory policy flag",
};

/** The members of a document that hold no others, by their paths. */
const members = (value: unknown, path = ""): [path: string, value: unknown][] =>
  typeof value !== "object" || value === null || Array.isArray(value) || path === "annotations"
    ? [[path, value]]
    : Object.entries(value).flatMap(([name, part]) => members(part, path === "" ? name : `${path}.${name}`));

system(
  "features tells all that the specification defines, as it defines it, and nothing that no test exercises",
  (s) => {
    const features = JSON.parse(s.fdrunc(["features"]).succeeds());
    assert.ok(validateFeatures(features));
    const told = new Map(members(features));
    assert.deepEqual([...told.keys()].toSorted(), MEMBERS.toSorted());
    assert.deepEqual([told.get("ociVersionMin"), told.get("ociVersionMax")], ["1.0.0", "1.3.0"]);
    for (const [path, value] of told) if (typeof value === "boolean") assert.equal(value, true, path);
    const list = (path: string) => (told.get(path) as string[]).toSorted();
    for (const [path, names] of Object.entries(LISTS)) assert.deepEqual(list(path), names.split(" ").toSorted(), path);
    assert.deepEqual(list("linux.seccomp.supportedFlags"), list("linux.seccomp.knownFlags"));
    assert.deepEqual(list("linux.capabilities"), CAPABILITIES.toSorted());
    for (const name of told.get("potentiallyUnsafeConfigAnnotations") as string[])
      assert.match(name, /^(org\.criu\.|run\.oci\.|org\.systemd\.property\.)/);
    for (const [path, kind] of Object.entries(EXERCISED)) {
      const names = FEATURES.filter(({ name }) => name.startsWith(`${kind} `)).flatMap(
        ({ value, paths }) => value ?? paths,
      );
      assert.deepEqual(list(path), names.map((name) => String(name).replace(/^hooks\./, "")).toSorted(), path);
    }
  },
);
