import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { provideCriu } from "./criu.mjs";
import { provideNginxImage } from "./nginx-image.mjs";
import { provideAll } from "./provide.mjs";
import { setUp } from "./setup.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
/** What is compared with, makes archives, or stands in for another machine. */
const PACKAGES = [
  ...["runc", "crun", "podman", "buildah", "skopeo", "uidmap", "busybox-static", "libseccomp2", "strace"],
  ...[
    "iproute2",
    "iptables",
    "btrfs-progs",
    "umoci",
    "containernetworking-plugins",
    "curl",
    "gcc-aarch64-linux-gnu",
    "qemu-user",
  ],
];

/**
 * Installs what the tests need, builds fdrunc and compiles the tests. What fails counts as a failed test.
 *
 * @param {import("./summary.mjs").Summary} summary
 */
export async function buildTests(summary) {
  setUp(PACKAGES);
  await provideAll([
    ["criu", provideCriu],
    ["image of nginx", provideNginxImage],
  ]);
  const run = (what, script, ...args) => {
    console.log(what);
    const { status } = spawnSync(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, stdio: "inherit" });
    if (status !== 0) summary.fail(what, `exit status ${status}`);
  };
  run("building", "src/build/build.mjs");
  run("compiling the tests", "node_modules/typescript/bin/tsc", "-p", "test");
}
