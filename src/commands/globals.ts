import { type Command, InvalidArgumentError, Option } from "commander";
import type { CgroupManager, GlobalOptions } from "../container/options.js";
import { ffi } from "../ffi/driver.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { open, quote, using, writeAll } from "../linux/file.js";
import { inUserNamespace } from "../linux/in-user-namespace.js";
import { sys } from "../linux/syscall.js";
import { printError } from "./print.js";

/** How much a message matters, the least first. */
const LEVELS = ["debug", "warning", "error"] as const;
type Level = (typeof LEVELS)[number];

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
    .addOption(new Option("--log <[file:]path>", "write the log to a file").argParser(parseLog))
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
    const line = formatLine(logFormat, level, message);
    try {
      using(open(log, C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644), (fd) => writeAll(fd, line));
    } catch (cause) {
      printError(`fdrunc: ${new Failure(`--log ${quote(log)}`, { cause }).message}\n`);
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

/** Where the log goes: a file's path, or as crun has it BACKEND:SPEC. */
function parseLog(text: string): string {
  const [, backend, path] = /^(file|journald|syslog):(.*)$/s.exec(text) ?? [];
  if (backend === undefined) return text;
  if (backend !== "file" || path === "") throw new InvalidArgumentError(`the log goes to files, "file:PATH"`);
  return path;
}

/** The lines that containerd, docker and podman take apart, and logrus's text. */
const formatLine = (format: string, level: Level, message: string): string => {
  const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return format === "json"
    ? `${JSON.stringify({ level, msg: message, time })}\n`
    : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}\n`;
};

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
