import { Cgroup } from "../cgroup/cgroup.js";
import { runProgram } from "../launch/run-program.js";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import type { GlobalOptions } from "./options.js";
import { StateDirectory } from "./state-directory.js";

/** The ids of a container's processes, as the host numbers them. Throws Failure. */
export function processesOf({ root }: GlobalOptions, id: string): number[] {
  const cgroup = new Cgroup(StateDirectory.open(root, id).read()?.cgroup ?? {});
  if (cgroup.directories.length === 0)
    throw new Failure(`list the processes of container ${quote(id)}`, { cause: "it has no cgroup that would tell" });
  return cgroup.processes();
}

/**
 * What the host's ps(1) prints, its headings and the lines of the given processes.
 *
 * @param options for ps; whatever they are, there must be a column of process ids
 * @throws Failure
 */
export function processTable(pids: readonly number[], options: readonly string[]): string {
  const [headings, ...lines] = runProgram("ps", options).trimEnd().split("\n");
  const column = words(headings).indexOf("PID");
  const refuse = (cause: string, hint?: string) => new Failure(`ps ${options.join(" ")}`, { cause, hint });
  if (column < 0) throw refuse("couldn't find PID field in ps output");
  const own = lines.filter((line) => {
    const pid = words(line)[column];
    if (!/^\d+$/.test(pid)) throw refuse(`unable to parse pid ${quote(pid)}`, "it goes before columns with spaces");
    return pids.includes(Number(pid));
  });
  return [headings, ...own].map((line) => `${line}\n`).join("");
}

const words = (line: string): string[] => line.trim().split(/\s+/);
