import { type Command, Option } from "commander";
import type { CgroupManager, GlobalOptions } from "../container/options.js";
import { ffi } from "../ffi/driver.js";
import { inUserNamespace } from "../linux/in-user-namespace.js";
import { sys } from "../linux/syscall.js";
import { LEVELS, type Level, parseLogTarget, writeLog } from "./log.js";
import { printError } from "./print.js";

/** The options that all commands have. */
export interface Globals extends GlobalOptions {
  readonly debug: boolean;
  /** Writes to the log, if there is one. */
  readonly log: (level: Level, message: string) => void;
  readonly cgroupManager: CgroupManager;
}

/** Defines the options that all commands have. */
export function defineGlobals(program: Command): void {
  program
    .option("--debug", "log what is of interest for finding faults")
    .addOption(
      new Option("--log <target>", "write the log to a file, journald:NAME or syslog:NAME").argParser(parseLogTarget),
    )
    .addOption(new Option("--log-format <format>", "the log's format").choices(["text", "json"]).default("text"))
    .addOption(new Option("--log-level <level>", "how much a message has to matter").choices(LEVELS))
    .option("--root <directory>", "where the state of containers is kept (a tmpfs, best)")
    .addOption(
      new Option("--rootless <when>", "whether to do without the cgroups that the caller may not make")
        .choices(["true", "false", "auto"])
        .default("auto"),
    )
    .option("--systemd-cgroup", "let systemd manage cgroups")
    .addOption(
      new Option("--cgroup-manager <manager>", "what manages cgroups")
        .choices(["cgroupfs", "systemd", "disabled"])
        .default("cgroupfs"),
    );
}

/** The values of the options that all commands have. */
export function globalsOf(program: Command): Globals {
  const { debug, log, logLevel, logFormat, root, rootless, systemdCgroup, cgroupManager } = program.opts();
  const least: Level = logLevel ?? (debug ? "debug" : "warning");
  const isTooSmall = (level: Level) => LEVELS.indexOf(level) < LEVELS.indexOf(least);
  const write = (level: Level, message: string) => {
    if (log === undefined || isTooSmall(level)) return;
    try {
      writeLog(log, logFormat, level, message);
    } catch (error) {
      printError(`fdrunc: ${(error as Error).message}\n`);
    }
  };
  return {
    debug: debug ?? false,
    root: root ?? defaultRoot(),
    log: write,
    warn: (message) => {
      write("warning", message);
      if ((debug || log === undefined) && !isTooSmall("warning")) printError(`fdrunc: warning: ${message}\n`);
    },
    ...(debug && {
      note(message: string) {
        write("debug", message);
        printError(`fdrunc: ${message}\n`);
      },
    }),
    get rootless() {
      return rootless === "auto" ? hasNoRights() : rootless === "true";
    },
    cgroupManager: systemdCgroup ? "systemd" : cgroupManager,
  };
}

/** Whether the caller is not root, or root only in a user namespace. */
const hasNoRights = (): boolean => sys("geteuid") !== 0 || inUserNamespace();

const variable = (name: string): string | undefined =>
  ffi.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);

/** As runc has it: who is root in a user namespace may still be called by the name of the user that made that. */
function defaultRoot(): string {
  const uid = sys("geteuid");
  const isOrdinary = uid !== 0 || (inUserNamespace() && variable("USER") !== "root");
  const directory = isOrdinary ? variable("XDG_RUNTIME_DIR") : undefined;
  if (directory) return `${directory}/fdrunc`;
  return uid === 0 ? "/run/fdrunc" : `/tmp/fdrunc-${uid}`;
}
