import type { Command } from "commander";
import { run } from "../container/run.js";
import { ffi } from "../ffi/driver.js";
import { type CreateFlags, createOptions, withCreateOptions } from "./create.js";
import { globalsOf } from "./globals.js";

interface RunFlags extends CreateFlags {
  detach?: boolean;
  keep?: boolean;
  subreaper: boolean;
}

export function defineRun(program: Command): void {
  withCreateOptions(program.command("run").description("create a container, run its program and delete it"))
    .argument("<id>", "the name of the container")
    .option("-d, --detach", "leave it in the background")
    .option("--keep", "do not delete it when it has ended")
    .option("--no-subreaper", "do not adopt the container's orphaned processes")
    .action((id: string, flags: RunFlags) => {
      const { detach = false, keep = false, subreaper } = flags;
      ffi.exit(run({ ...createOptions(globalsOf(program), id, flags, !detach), keep, subreaper }));
    });
}
