import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Cgroup } from "../../src/cgroup/cgroup.js";
import { cgroupHierarchies, type Hierarchy } from "../../src/cgroup/hierarchy.js";
import { close } from "../../src/linux/file.js";

/** What a host is to have for a test. */
export interface Needs {
  v1?: string[];
  v2?: string[];
}

/** The host's hierarchies, or undefined after the test was skipped because it lacks what is needed. */
export function hostHierarchies(t: TestContext, { v1 = [], v2 }: Needs): Hierarchy[] | undefined {
  if (process.geteuid?.() !== 0) {
    t.skip("needs root");
    return undefined;
  }
  const hierarchies = cgroupHierarchies();
  const lacking = v1.find((controller) => !hierarchies.some(({ controllers }) => controllers.includes(controller)));
  if (lacking !== undefined) {
    t.skip(`needs the cgroup v1 controller "${lacking}"`);
    return undefined;
  }
  if (v2 === undefined) return hierarchies;
  const unified = hierarchies.find(({ version }) => version === 2);
  const controllers = unified ? read(`${unified.mountPoint}/cgroup.controllers`).split(" ") : [];
  const missing = unified ? v2.find((controller) => !controllers.includes(controller)) : "";
  if (missing !== undefined) {
    t.skip(missing === "" ? "needs a cgroup v2 mount" : `needs the cgroup v2 controller "${missing}"`);
    return undefined;
  }
  return hierarchies;
}

let count = 0;

/** An absolute path for cgroups that no other test has; what is made of it is gone after the test. */
export function ownParent(t: TestContext, hierarchies: readonly Hierarchy[]): string {
  const path = `/fdrunc-test-${process.pid}-${count++}`;
  const unified = hierarchies.find(({ version }) => version === 2);
  const control = `${unified?.mountPoint}/cgroup.subtree_control`;
  const before = unified ? read(control).split(" ") : [];
  t.after(() => {
    for (const { mountPoint } of hierarchies) removeTree(mountPoint + path);
    if (!unified) return;
    const added = read(control)
      .split(" ")
      .filter((controller) => !before.includes(controller));
    for (const controller of added) {
      try {
        writeFileSync(control, `-${controller}`);
      } catch {
        // Somebody else uses it by now.
      }
    }
  });
  return path;
}

/** Ends the processes in a cgroup and in those below it, and removes them. */
function removeTree(directory: string): void {
  if (!isDirectory(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(`${directory}/${entry.name}`);
  }
  for (const [file, thawed] of [
    ["freezer.state", "THAWED"],
    ["cgroup.freeze", "0"],
  ]) {
    if (existsSync(`${directory}/${file}`)) writeFileSync(`${directory}/${file}`, thawed);
  }
  const wait = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const pids = read(`${directory}/cgroup.procs`);
    if (pids === "") break;
    for (const pid of pids.split("\n")) process.kill(Number(pid), "SIGKILL");
    Atomics.wait(wait, 0, 0, 1);
  }
  rmdirSync(directory);
}

/** A file's content without the last line feed. */
export const read = (path: string): string => readFileSync(path, "utf8").trimEnd();

export const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Starts a shell in the cgroups by their entry; returns it once it is in. It ends with the test at the latest. */
export async function enter(t: TestContext, cgroup: Cgroup, script = "exec sleep 60"): Promise<ChildProcess> {
  const { tasks, into } = cgroup.openEntry();
  const moves = tasks.map((_, i) => `echo 0 >&${3 + i}`);
  // A shell cannot clone itself into a cgroup.
  if (into !== undefined) moves.push(`echo 0 > ${cgroup.paths[""]}/cgroup.procs`);
  const child = spawn("/bin/bash", ["-ec", [...moves, "echo in", script].join("\n")], {
    stdio: ["ignore", "pipe", "inherit", ...tasks.map(({ fd }) => fd)],
  });
  const closed = once(child, "close");
  t.after(() => {
    child.kill("SIGKILL");
    return closed;
  });
  for (const { fd } of tasks) close(fd);
  if (into !== undefined) close(into);
  await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), closed]);
  return child;
}

/** How a child ended: the signal's name, or the status. */
export async function ending(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.signalCode ?? child.exitCode;
}
