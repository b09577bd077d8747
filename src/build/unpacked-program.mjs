/*
 * A program of another release of Debian, for tests and the bench: its package with all that it depends on, unpacked into
 * a directory of its own, and changed to find its libraries and their dynamic linker there. Nothing is installed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { unpackFromDebian } from "./debian.mjs";
import { HERE, TARGETS } from "./engine.mjs";
import { once } from "./once.mjs";
import { Unavailable } from "./unavailable.mjs";

const CACHE = new URL("../../.cache/programs/", import.meta.url).pathname;
const LINKERS = { x86_64: "ld-linux-x86-64.so.2", aarch64: "ld-linux-aarch64.so.1" };

/**
 * Makes .cache/programs/RELEASE/PACKAGE, unless it is there. Needs patchelf(1).
 *
 * The program is no script that calls the linker: runc and crun execute /proc/self/exe again.
 *
 * @param {string} name the package's
 * @param {string} path the program's, in the package: "usr/bin/crun"
 * @param {string} release Debian's name of its release: "sid"
 * @returns {Promise<string>} the program's path
 * @throws {Unavailable} where it cannot be had
 */
export async function unpackedProgram(name, path, release) {
  const root = join(CACHE, release, name);
  const program = join(root, path);
  await once(root, [release, name], () => {
    unpackFromDebian(root, { package: name, architecture: TARGETS[HERE].debian, release, dependencies: true });
    const linker = spawnSync("find", [root, "-name", LINKERS[HERE]], { encoding: "utf8" }).stdout.split("\n")[0];
    const libraries = join(root, "usr/lib", `${HERE}-linux-gnu`);
    const change = ["--set-interpreter", linker, "--force-rpath", "--set-rpath", libraries, program];
    const { status, stderr, error } = spawnSync("patchelf", change, { encoding: "utf8" });
    if (status !== 0) throw new Unavailable(`patchelf ${program}: ${error?.message ?? stderr.trim()}`);
  });
  return program;
}
