import type { Command } from "commander";
import { restore } from "../container/restore.js";
import { ffi } from "../ffi/driver.js";
import { type CriuFlags, criuOptions, withCriuOptions } from "./criu-flags.js";
import { globalsOf } from "./globals.js";

interface RestoreFlags extends CriuFlags {
  bundle: string;
  consoleSocket?: string;
  pidFile?: string;
  detach?: boolean;
  subreaper: boolean;
  lsmProfile?: string;
  lsmMountContext?: string;
}

export function defineRestore(program: Command): void {
  withCriuOptions(program.command("restore").description("make a container of a checkpoint, by criu, which goes on"))
    .argument("<id>", "the name of the container")
    .option("-b, --bundle <directory>", "the bundle: a directory with config.json and the root file system", ".")
    .option("--console-socket <path>", "the AF_UNIX socket that takes the terminal's controlling end")
    .option("--pid-file <file>", "the file to write the container's process id to")
    .option("-d, --detach", "leave it in the background")
    .option("--no-subreaper", "do not adopt the container's orphaned processes")
    .option("--no-pivot", "taken for the sake of callers: criu changes the root in its own way")
    .option("--lsm-profile <type:name>", "the AppArmor profile or SELinux label to restore with")
    .option("--lsm-mount-context <context>", "the SELinux context to restore mounts with")
    .action((id: string, flags: RestoreFlags) => {
      const { root, warn, rootless, cgroupManager } = globalsOf(program);
      const { bundle, consoleSocket, pidFile, detach = false, subreaper, lsmProfile, lsmMountContext } = flags;
      const status = restore({
        ...criuOptions(flags),
        root,
        rootless,
        warn,
        id,
        bundle,
        subreaper,
        foreground: !detach,
        cgroupManager,
        ...(consoleSocket !== undefined && { consoleSocket }),
        ...(pidFile !== undefined && { pidFile }),
        ...(lsmProfile !== undefined && { lsmProfile }),
        ...(lsmMountContext !== undefined && { lsmMountContext }),
      });
      ffi.exit(status);
    });
}
