/*
 * A criu for the tests, where the system's own does not work: that of a newer release of Debian, with all its libraries,
 * unpacked and run by its own dynamic linker. Nothing is installed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchWithDependencies } from "./debian.mjs";
import { HERE, TARGETS } from "./engine.mjs";
import { once } from "./once.mjs";

const CACHE = new URL("../../.cache/criu/", import.meta.url).pathname;
const LINKERS = { x86_64: "ld-linux-x86-64.so.2", aarch64: "ld-linux-aarch64.so.1" };

/**
 * Makes .cache/criu/bin/criu unless the system has a criu that finds all in order.
 *
 * @throws {import("./unavailable.mjs").Unavailable} where it cannot be had
 */
export async function provideCriu() {
  if (process.getuid() !== 0 || spawnSync("criu", ["check"]).status === 0) return;
  const program = join(CACHE, "bin/criu");
  await once(program, [HERE], () => {
    const root = join(CACHE, "root");
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root, { recursive: true });
    mkdirSync(join(CACHE, "bin"), { recursive: true });
    const download = join(CACHE, "download");
    for (const file of fetchWithDependencies(download, "criu", TARGETS[HERE].debian))
      execFileSync("dpkg-deb", ["-x", file, root]);
    rmSync(download, { recursive: true });
    const libraries = join(root, "usr/lib", `${HERE}-linux-gnu`);
    const linker = spawnSync("find", [root, "-name", LINKERS[HERE]], { encoding: "utf8" }).stdout.split("\n")[0];
    const command = [linker, "--library-path", libraries, join(root, "usr/sbin/criu")];
    writeFileSync(program, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(program, 0o755);
  });
}
