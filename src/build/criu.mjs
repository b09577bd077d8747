/* A criu for the tests, where the system's own does not work: that of a newer release of Debian. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { once } from "./once.mjs";
import { unpackedProgram } from "./unpacked-program.mjs";

const LINK = new URL("../../.cache/criu/bin/criu", import.meta.url).pathname;

/**
 * Makes .cache/criu/bin/criu unless the system has a criu that finds all in order.
 *
 * @throws {import("./unavailable.mjs").Unavailable} where it cannot be had
 */
export async function provideCriu() {
  if (process.getuid() !== 0 || spawnSync("criu", ["check"]).status === 0) return;
  const program = await unpackedProgram("criu", "usr/sbin/criu", "trixie");
  await once(LINK, [program], () => {
    mkdirSync(new URL(".", `file://${LINK}`), { recursive: true });
    rmSync(LINK, { force: true });
    symlinkSync(program, LINK);
  });
}
