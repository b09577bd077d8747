import { provideContainerd } from "./containerd.mjs";
import { provideCriApi } from "./cri-api.mjs";
import { provideAll } from "./provide.mjs";
import { setUp } from "./setup.mjs";
import { runTestFiles, testFiles } from "./test-files.mjs";

/** The engines, and what their tests call. */
const PACKAGES = [
  ...["containerd", "docker.io", "podman", "buildah", "runc", "crun"],
  // What engines call: for processes, networks, ordinary users.
  ...[
    "conmon",
    "catatonit",
    "netavark",
    "containernetworking-plugins",
    "iproute2",
    "iptables",
    "uidmap",
    "slirp4netns",
    "curl",
  ],
];

/** Milliseconds that a file may take where it repeats thousands of times. */
const LONG = 6 * 60 * 60 * 1000;

/**
 * Runs the tests of engines, each of which starts its engine by itself, one after the other.
 *
 * @param {import("./summary.mjs").Summary} summary
 * @param {string[]} [names] of engines; all unless given
 */
export async function runEngines(summary, names = []) {
  setUp(PACKAGES);
  await provideAll([
    ["description of Kubernetes' CRI", provideCriApi],
    ["containerd of version 2", provideContainerd],
  ]);
  const wanted = (file) => names.length === 0 || names.some((name) => file === `engines/${name}.test.ts`);
  const files = testFiles("engines").filter(wanted);
  await summary.stage("engines", async (take) => {
    for (const file of files) await runTestFiles([file], take, process.env.FDRUNC_ENGINES_LONG ? LONG : undefined);
  });
}
