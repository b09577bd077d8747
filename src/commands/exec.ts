import type { Command, CommanderError } from "commander";
import { type ExecOptions, exec } from "../container/exec.js";
import { ffi } from "../ffi/driver.js";
import { parseFault } from "../init/fault.js";
import { Failure } from "../linux/failure.js";
import { preserveFds } from "./create.js";
import { type Globals, globalsOf } from "./globals.js";
import { messageOf } from "./message-of.js";

/** The exit status of a failure of `exec` itself, which is told from those of programs. */
const FAILED = 255;

const failed = (error: unknown): Failure => new Failure(messageOf(error, "fdrunc"), { status: FAILED });

/** Commander's way to take an option several times: a list, in order. */
const each = (value: string, before: readonly string[]): readonly string[] => [...before, value];

interface ExecFlags {
  consoleSocket?: string;
  pidfdSocket?: string;
  cwd?: string;
  env: readonly string[];
  tty?: boolean;
  user?: string;
  additionalGids: readonly string[];
  process?: string;
  detach?: boolean;
  pidFile?: string;
  processLabel?: string;
  apparmor?: string;
  newPrivs: boolean;
  cap: readonly string[];
  preserveFds: number;
  cgroup: readonly string[];
  ignorePaused?: boolean;
  failStep?: string;
}

export function defineExec(program: Command): void {
  program
    .enablePositionalOptions() // It goes with passThroughOptions.
    .command("exec")
    .description("run a program in a container")
    .argument("<id>", "the name of the container")
    .argument("[command...]", "the program and its arguments: options end at the id")
    .option("--console-socket <path>", "the AF_UNIX socket that takes the terminal's controlling end")
    .option("--pidfd-socket <path>", "the AF_UNIX socket that takes a descriptor of the process")
    .option("--cwd <directory>", "the working directory, instead of the container's process's")
    .option("-e, --env <NAME=value>", "a variable for the environment, beside the container's process's", each, [])
    .option("-t, --tty", "give it a terminal")
    .option("-u, --user <uid[:gid]>", "the user and group, by number")
    .option("-g, --additional-gids <gid>", "a further group, by number", each, [])
    .option("-p, --process <file>", "a file with the process as config.json has it, instead of the container's process")
    .option("-d, --detach", "leave it in the background")
    .option("--pid-file <file>", "the file to write the process's id to")
    .option("--process-label <label>", "the SELinux label")
    .option("--apparmor <profile>", "the AppArmor profile")
    .option("--no-new-privs", "let it gain no privileges")
    .option("-c, --cap <capability>", "a capability beside those of the container's process", each, [])
    .addOption(preserveFds())
    .option("--cgroup <[controllers:]path>", "a cgroup below the container's to run in", each, [])
    .option("--ignore-paused", "in a paused container, wait until it is resumed")
    .option("--fail-step <number:errno>", "make a step fail, to see what becomes of that")
    .passThroughOptions()
    .exitOverride((error: CommanderError) => {
      throw error.exitCode === 0 ? error : failed(error);
    })
    .action((id: string, args: string[], flags: ExecFlags) => {
      let status: number;
      try {
        status = exec(execOptions(globalsOf(program), id, args, flags));
      } catch (error) {
        throw failed(error);
      }
      ffi.exit(status);
    });
}

function execOptions(globals: Globals, id: string, args: readonly string[], flags: ExecFlags): ExecOptions {
  const { cwd, env, tty, user, additionalGids, process, processLabel, apparmor, newPrivs, cap } = flags;
  const { consoleSocket, pidfdSocket, pidFile, preserveFds, cgroup, ignorePaused = false, failStep } = flags;
  return {
    root: globals.root,
    warn: globals.warn,
    rootless: globals.rootless,
    id,
    process: {
      args,
      env,
      additionalGids,
      capabilities: cap,
      ...(process !== undefined && { process }),
      ...(cwd !== undefined && { cwd }),
      ...(tty !== undefined && { terminal: tty }),
      ...(user !== undefined && { user }),
      ...(processLabel !== undefined && { processLabel }),
      ...(apparmor !== undefined && { apparmor }),
      ...(!newPrivs && { noNewPrivileges: true }),
    },
    preserveFds,
    cgroups: cgroup,
    ignorePaused,
    foreground: !flags.detach,
    ...(consoleSocket !== undefined && { consoleSocket }),
    ...(pidfdSocket !== undefined && { pidfdSocket }),
    ...(pidFile !== undefined && { pidFile }),
    ...(failStep !== undefined && { fault: parseFault(failStep) }),
  };
}
