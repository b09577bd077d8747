import type { Command } from "commander";
import { cgroupHierarchies, isUnified } from "../cgroup/hierarchy.js";
import { defaultConfig } from "../config/defaults.js";
import { rootless } from "../config/rootless.js";
import type { Config } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { EEXIST } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { open, quote, using, writeAll } from "../linux/file.js";
import { SyscallError, sys } from "../linux/syscall.js";

export function defineSpec(program: Command): void {
  program
    .command("spec")
    .description("write a config.json to start from")
    .option("-b, --bundle <directory>", "where to write it", ".")
    .option("--rootless", "one that the calling user can run without being root")
    .action((options: { bundle: string; rootless?: boolean }) => {
      const path = `${options.bundle}/config.json`;
      const config = options.rootless ? rootless(hostConfig(), sys("geteuid"), sys("getegid")) : hostConfig();
      const text = `${JSON.stringify(config, null, "\t")}\n`;
      try {
        using(open(path, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o666), (fd) => writeAll(fd, text));
      } catch (error) {
        if (!(error instanceof SyscallError && error.errno === EEXIST)) throw error;
        throw new Failure(`${quote(path)} exists`, { hint: "move it away first, or give another --bundle" });
      }
    });
}

/** The default configuration as runc has it on this host: with a cgroup namespace where there is cgroup v2 alone. */
function hostConfig(): Config {
  const { linux, ...config } = defaultConfig();
  const own = isUnified(cgroupHierarchies()) ? [{ type: "cgroup" } as const] : [];
  return { ...config, linux: { ...linux, namespaces: [...(linux?.namespaces ?? []), ...own] } };
}
