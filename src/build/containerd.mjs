/*
 * The newest containerd, of version 2, for tests beside the system's own: from Debian's sid, unpacked and not installed.
 */
import { join } from "node:path";
import { unpackFromDebian } from "./debian.mjs";
import { HERE, TARGETS } from "./engine.mjs";
import { once } from "./once.mjs";

const CACHE = new URL("../../.cache/containerd", import.meta.url).pathname;

/**
 * Makes .cache/containerd/usr/bin.
 *
 * @throws {import("./unavailable.mjs").Unavailable} where it cannot be had
 */
export async function provideContainerd() {
  await once(join(CACHE, "usr/bin/containerd"), [], () =>
    unpackFromDebian(CACHE, { package: "containerd", architecture: TARGETS[HERE].debian, release: "sid" }),
  );
}
