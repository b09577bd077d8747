import { parseDocument } from "../config/load.js";
import { checkProcess } from "../config/rules/process.js";
import type { Config, Process, User } from "../generated/config.js";
import { validateProcess } from "../generated/validate-config.js";
import { CAPABILITIES } from "../linux/capabilities.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile } from "../linux/file.js";
import { requireSecurityModules } from "./security-modules.js";

/** What `exec` is told of the process that it adds. What is absent is as the base has it. */
export interface ProcessOptions {
  /** The file with the process, in the form that config.json has it: the base, instead of the container's process. */
  readonly process?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** NAME=value each. */
  readonly env: readonly string[];
  readonly terminal?: boolean;
  /** "UID" or "UID:GID". */
  readonly user?: string;
  readonly additionalGids: readonly string[];
  readonly processLabel?: string;
  readonly apparmor?: string;
  readonly noNewPrivileges?: boolean;
  readonly capabilities: readonly string[];
}

/** The process that `exec` adds to a container. Throws Failure by flag, or by file and JSON path. */
export function execProcess(config: Config, options: ProcessOptions): Process {
  const base = options.process === undefined ? own(config) : load(options.process, config);
  const { args, cwd = base.cwd, terminal, processLabel, apparmor, noNewPrivileges, user, additionalGids } = options;
  if (!cwd.startsWith("/")) throw new Failure(`--cwd ${quote(cwd)}`, { cause: "must be an absolute path" });
  for (const entry of options.env)
    if (entry.indexOf("=") < 1) throw new Failure(`--env ${quote(entry)}`, { cause: "must have the form NAME=value" });
  const process: Process = {
    ...base,
    cwd,
    ...(args.length > 0 && { args: [...args] }),
    env: [...(base.env ?? []), ...options.env],
    ...(terminal !== undefined && { terminal }),
    ...(processLabel !== undefined && { selinuxLabel: processLabel }),
    ...(apparmor !== undefined && { apparmorProfile: apparmor }),
    ...(noNewPrivileges !== undefined && { noNewPrivileges }),
    user: withIds(base.user, user, additionalGids),
    capabilities: withCapabilities(base.capabilities, options.capabilities),
  };
  if (process.args === undefined || process.args.length === 0)
    throw new Failure("process args cannot be empty", { hint: "what is to be executed stands behind the id" });
  checkProcess(process, "process");
  requireSecurityModules({ process });
  return process;
}

/** The container's process, but for what is a matter of each program: what it is, and whether it has a terminal. */
function own({ process = { cwd: "/" } }: Config): Process {
  const { args: _args, terminal: _terminal, consoleSize: _consoleSize, ...rest } = process;
  return rest;
}

/** What a file says of a process. One that says nothing of what confines it is confined as the container's is. */
function load(path: string, { process = { cwd: "/" } }: Config): Process {
  const { capabilities, rlimits, apparmorProfile, selinuxLabel, oomScoreAdj } = process;
  // The score of whoever calls says nothing of the container.
  const confinement = { capabilities, rlimits, apparmorProfile, selinuxLabel, oomScoreAdj };
  const told = parseDocument(path, readFile(path), validateProcess, (document) => checkProcess(document, ""));
  return { ...confinement, ...told };
}

function withIds(user: User | undefined, ids: string | undefined, gids: readonly string[]): User {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(ids ?? "") ?? [];
  if (ids !== undefined && uid === undefined)
    throw new Failure(`--user ${quote(ids)}`, { cause: 'not of the form UID or UID:GID, as "1000:100"' });
  const flag = `--user ${quote(ids ?? "")}`;
  return {
    ...user,
    ...(uid !== undefined && { uid: idOf(uid, flag) }),
    ...(gid !== undefined && { gid: idOf(gid, flag) }),
    additionalGids: [
      ...(user?.additionalGids ?? []),
      ...gids.map((text) => idOf(text, `--additional-gids ${quote(text)}`)),
    ],
  };
}

/** The largest id; the one above stands for none. setresuid(2) */
const LARGEST_ID = 0xfffffffe;

function idOf(text: string, flag: string): number {
  const id = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= LARGEST_ID)) throw new Failure(flag, { cause: `must be a number of at most ${LARGEST_ID}` });
  return id;
}

/**
 * Adds capabilities to the sets but the inheritable one, which would give them to what unprivileged users execute, too;
 * without that, they do not become ambient either.
 */
function withCapabilities(sets: Process["capabilities"] = {}, more: readonly string[]): Process["capabilities"] {
  if (more.length === 0) return sets;
  for (const name of more)
    if (!CAPABILITIES.includes(name)) throw new Failure(`--cap ${quote(name)}`, { cause: "no such capability" });
  const { bounding = [], effective = [], permitted = [], ambient = [] } = sets;
  return {
    ...sets,
    bounding: [...bounding, ...more],
    effective: [...effective, ...more],
    permitted: [...permitted, ...more],
    ambient: [...ambient, ...more],
  };
}
