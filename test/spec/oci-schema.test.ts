import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, shared } from "../folders.js";
import { type Place, placesOf, readSchemas } from "./schemas.js";

const OCI = shared("oci-schema");
const skip = OCI === undefined && "needs the specification's own schemas in ../shared/oci-schema";

/** Where ours differ and why, by document. */
const DIFFERENCES: Record<string, [path: RegExp, what: string, reason: string][]> = {
  config: [
    [/^\.process\.consoleSize\.(height|width)$/, "range", "struct winsize has 16 bits, ioctl_tty(2)"],
    [/^\.process\.oomScoreAdj$/, "range", "the kernel's range, proc_pid_oom_score_adj(5)"],
    [/^\.process\.rlimits\[\]\.type$/, "enum, pattern", "config.md: the types are those of getrlimit(2)"],
    [/^\.hooks\.\w+\[\]\.timeout$/, "range", "seconds of more than 31 bits cannot be meant"],
    [
      /^\.linux\.rootfsPropagation$/,
      "enum",
      "docker and containerd write rslave and rshared, which runc takes as well",
    ],
    [
      /^\.linux\.devices\[\]\.fileMode$/,
      "range",
      "podman writes st_mode with the type in it, which runc takes as well",
    ],
    [/^\.linux\.devices\[\]\.type$/, "enum, pattern", "the pattern ^[cbup]$ as an enumeration"],
    [/^\.linux\..*[dD]evices?\[\]\.(major|minor)$/, "range", "device numbers have 32 bits in all; -1 is every one"],
  ],
  state: [[/^\.pid$/, "range", "the kernel's PID_MAX_LIMIT, proc_sys_kernel(5)"]],
  features: [
    [/^\.linux\.intelRdt\.(schemata|monitoring)$/, "ours only", "of features.md, absent from its schema"],
    [/^\.linux\.memoryPolicy(\.(modes|flags)(\[\])?)?$/, "ours only", "of features.md, absent from its schema"],
  ],
};

for (const [name, differences] of Object.entries(DIFFERENCES)) {
  test(`${name}.schema.json says what the specification's schema says`, { skip }, () => {
    const theirs = placesOf(readSchemas(OCI as string), `${name}-schema.json`);
    const ours = placesOf(readSchemas(join(ROOT, "spec")), `${name}.schema.json`);
    assert.ok(ours.size > 5);
    const used = new Set<RegExp>();
    for (const path of new Set([...theirs.keys(), ...ours.keys()])) {
      const what = difference(theirs.get(path), ours.get(path));
      if (what === "") continue;
      const known = differences.find(([pattern, kind]) => pattern.test(path) && kind === what);
      assert.ok(known, `${path}: ${what}: ${JSON.stringify(theirs.get(path))}, ours ${JSON.stringify(ours.get(path))}`);
      used.add(known[0]);
    }
    assert.equal(used.size, differences.length, "a listed difference is none");
  });
}

function difference(theirs: Place | undefined, ours: Place | undefined): string {
  if (theirs === undefined) return "ours only";
  if (ours === undefined) return "theirs only";
  const keys = ["type", "enum", "pattern", "range", "required"] as const;
  return keys.filter((key) => JSON.stringify(theirs[key]) !== JSON.stringify(ours[key])).join(", ");
}
