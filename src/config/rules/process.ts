import type { Config, Process, User } from "../../generated/config.js";
import { parseNumberList } from "../../linux/number-list.js";
import { wrong } from "../explain.js";
import { checkIOPriority, checkScheduler } from "./scheduling.js";

/** The largest number of a CPU that a kernel can be built for (NR_CPUS). */
export const LARGEST_CPU = 8191;

/** The rules on config.json's process. */
export function processIsRunnable({ process }: Config): void {
  if (process !== undefined) checkProcess(process, "process");
}

/** Throws Failure when `process` breaks a rule of config.md; `at` is its path in the document, "" for process.json. */
export function checkProcess(process: Process, at: string): void {
  const path = (property: string) => (at === "" ? property : `${at}.${property}`);
  const { args = [], cwd, env = [], rlimits = [], user, scheduler, ioPriority } = process;
  if (args.length === 0) throw wrong(path("args"), "must have at least one entry");
  if (args[0] === "") throw wrong(path("args[0]"), "must not be empty");
  if (!cwd.startsWith("/")) throw wrong(path("cwd"), "must be an absolute path", cwd);
  checkEnvironment(env, path("env"));
  checkIds(user, path);
  const umask = user?.umask ?? 0;
  if (umask > 0o777) throw wrong(path("user.umask"), "must be at most 511 (octal 777)", umask);
  for (const [name, list] of Object.entries(process.execCPUAffinity ?? {}))
    if (list !== "" && parseNumberList(list, LARGEST_CPU + 1) === undefined)
      throw wrong(path(`execCPUAffinity.${name}`), 'must be a list of CPUs such as "0-3,7"', list);
  const seen = new Set<string>();
  rlimits.forEach(({ type, soft, hard }, i) => {
    const rlimit = path(`rlimits[${i}]`);
    if (seen.has(type)) throw wrong(`${rlimit}.type`, "must not be there twice", type);
    if (soft > hard) throw wrong(`${rlimit}.soft`, `must be at most ${hard}, the hard limit`, soft);
    seen.add(type);
  });
  if (scheduler !== undefined) checkScheduler(scheduler, path("scheduler"));
  if (ioPriority !== undefined) checkIOPriority(ioPriority, path("ioPriority"));
}

/** What the kernel takes for "leave as it is", in the place of an id. setresuid(2) */
const NO_CHANGE = 0xffffffff;

function checkIds({ uid, gid, additionalGids = [] }: User = {}, path: (property: string) => string): void {
  const ids: [property: string, id: number | undefined][] = [
    ["uid", uid],
    ["gid", gid],
    ...additionalGids.map((id, i): [string, number] => [`additionalGids[${i}]`, id]),
  ];
  for (const [property, id] of ids)
    if (id === NO_CHANGE) throw wrong(path(`user.${property}`), "must not be the id that stands for none", id);
}

/** environ(7): each entry is NAME=value. */
export function checkEnvironment(env: readonly string[], path: string): void {
  env.forEach((entry, i) => {
    if (entry.indexOf("=") < 1) throw wrong(`${path}[${i}]`, "must have the form NAME=value", entry);
  });
}
