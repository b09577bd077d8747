/*
 * Kubernetes' container runtime interface, as gRPC's language describes it: from Debian's package of its Go sources, which
 * only the newest release has.
 */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { unpackFromDebian } from "./debian.mjs";
import { once } from "./once.mjs";

const CACHE = new URL("../../.cache/cri/", import.meta.url).pathname;
const FILE = "usr/share/gocode/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto";

/**
 * Makes .cache/cri/api.proto.
 *
 * @throws {import("./unavailable.mjs").Unavailable} where it cannot be had
 */
export async function provideCriApi() {
  const target = join(CACHE, "api.proto");
  await once(target, [], () => {
    const root = join(CACHE, "root");
    unpackFromDebian(root, { package: "golang-k8s-cri-api-dev", architecture: "all", release: "sid" });
    copyFileSync(join(root, FILE), target);
    rmSync(root, { recursive: true });
  });
}
