import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { C } from "../../src/linux/constants.js";
import { sys } from "../../src/linux/syscall.js";

/**
 * Makes everything of this process's root file system read-only for the rest of its life, but for a new directory, which
 * is the one for temporary files from then on. It happens in a mount namespace of this thread, which is the one that
 * all synchronous calls and programs run in. Returns the directory, which goes with the process.
 */
export function makeHostReadOnly(): string {
  const directory = mkdtempSync(join(tmpdir(), "fdbundle-attacks-"));
  sys("unshare", C.CLONE_NEWNS);
  const run = (script: string) => spawnSync("sh", ["-e", "-c", script, directory], { encoding: "utf8" });
  const { status, stderr } = run('mount --make-rprivate /; mount --bind "$0" "$0"; mount -o remount,bind,ro /');
  if (status !== 0) throw new Error(stderr);
  process.env.TMPDIR = directory;
  process.once("exit", () => run('umount -l "$0"; mount -o remount,bind,rw /; rm -r "$0"'));
  return directory;
}
