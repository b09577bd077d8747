import { type Command, InvalidArgumentError, Option } from "commander";
import type { CriuOptions } from "../container/criu-options.js";
import { CGROUP_MODES } from "../criu/messages.js";

/** The flags that `checkpoint` and `restore` share, as commander gives them. */
export interface CriuFlags {
  imagePath: string;
  workPath?: string;
  tcpEstablished?: boolean;
  extUnixSk?: boolean;
  shellJob?: boolean;
  fileLocks?: boolean;
  autoDedup?: boolean;
  lazyPages?: boolean;
  manageCgroupsMode?: string;
}

/** Defines the flags that `checkpoint` and `restore` share. */
export function withCriuOptions(command: Command): Command {
  return command
    .option("--image-path <directory>", "the directory of the checkpoint", "checkpoint")
    .option("--work-path <directory>", "where criu writes its log, beside the checkpoint otherwise")
    .option("--tcp-established", "keep established TCP connections")
    .option("--ext-unix-sk", "allow UNIX sockets that are connected to the outside")
    .option("--shell-job", "allow processes of a session or terminal from outside")
    .option("--file-locks", "keep file locks")
    .option("--auto-dedup", "drop from earlier checkpoints what is in this one")
    .option("--lazy-pages", "fetch memory only when it is used")
    .addOption(
      new Option("--manage-cgroups-mode <mode>", "what criu does about cgroups").choices(Object.keys(CGROUP_MODES)),
    )
    .addOption(
      new Option("--empty-ns <type>", "a namespace to restore empty: the network's always is").argParser(
        parseNamespace,
      ),
    );
}

/** What the shared flags hand down. */
export function criuOptions(flags: CriuFlags): CriuOptions {
  return {
    imagePath: flags.imagePath,
    tcpEstablished: flags.tcpEstablished ?? false,
    extUnixSk: flags.extUnixSk ?? false,
    shellJob: flags.shellJob ?? false,
    fileLocks: flags.fileLocks ?? false,
    autoDedup: flags.autoDedup ?? false,
    lazyPages: flags.lazyPages ?? false,
    ...(flags.workPath && { workPath: flags.workPath }),
    ...(flags.manageCgroupsMode !== undefined && { cgroupsMode: flags.manageCgroupsMode }),
  };
}

function parseNamespace(text: string): string {
  if (text !== "network") throw new InvalidArgumentError('only "network" can be restored empty');
  return text;
}
