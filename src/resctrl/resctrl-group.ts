import type { IntelRdt } from "../generated/config.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { exists, mkdir, open, quote, whileLocked, writeFile } from "../linux/file.js";
import { attempt } from "../linux/syscall.js";
import { expectSchemata, explaining, inConfig, isLimited, writeSchemata } from "./schemata.js";

/** A container's place in resctrl: what is kept of it between commands. Absolute paths. */
export interface ResctrlGroup {
  readonly root: string;
  /** The class of service. */
  readonly directory: string;
  /** Whether the class is the container's own, to be removed with it. */
  readonly own: boolean;
  /** The monitoring group, always the container's own. */
  readonly monitoring?: string;
}

/** How directories of resctrl are made and removed: the kernel fills those and empties these. */
export const DIRECTORIES = {
  make: (path: string): void => mkdir(path, 0o755),
  /** What is gone already is fine, and what cannot be removed stays. */
  remove: (path: string): void => {
    attempt("unlinkat", C.AT_FDCWD, cstring(path), C.AT_REMOVEDIR);
  },
};

/** Where a container belongs in the resctrl file system at `root`. Changes nothing. */
export function planResctrlGroup(root: string, id: string, { closID, enableMonitoring }: IntelRdt): ResctrlGroup {
  const directory = closID === "/" ? root : `${root}/${closID || id}`;
  return {
    root,
    directory,
    own: !closID && !exists(directory),
    ...(enableMonitoring && { monitoring: `${directory}/mon_groups/${id}` }),
  };
}

/**
 * Makes what is not there yet of a group, and sets its shares (config-linux.md, "IntelRdt").
 *
 * @returns what removes again what was made
 * @throws Failure by JSON path; then what was made is removed
 */
export function makeResctrlGroup(
  { root, directory, monitoring, own }: ResctrlGroup,
  intelRdt: IntelRdt,
  directories = DIRECTORIES,
): () => void {
  const { closID } = intelRdt;
  const made: string[] = [];
  const undo = () => {
    for (const path of made.reverse()) directories.remove(path);
  };
  const make = (path: string, what: string) => {
    explaining(root, `${what}: ${quote(path)}`, () => directories.make(path));
    made.push(path);
  };
  return exclusively(root, () => {
    try {
      if (!own && exists(directory)) {
        if (closID) expectSchemata(directory, intelRdt);
      } else {
        if (closID && !isLimited(intelRdt))
          throw new Failure(`linux.intelRdt.closID: ${quote(closID)}`, {
            cause: `no such class of service in ${quote(root)}`,
            hint: "one that is given no schema must be there already",
          });
        make(directory, "linux.intelRdt.closID");
      }
      writeSchemata(root, directory, intelRdt, inConfig);
      if (monitoring !== undefined) make(monitoring, "linux.intelRdt.enableMonitoring");
      return undo;
    } catch (error) {
      undo();
      throw error;
    }
  });
}

/**
 * Runs `work` while nobody else looks at resctrl or changes it who keeps to the kernel's rule for that: so a class that
 * is there has its shares. Throws SyscallError. resctrl.rst, "Locking between applications"
 */
const exclusively = <T>(root: string, work: () => T): T => whileLocked(open(root, C.O_RDONLY | C.O_DIRECTORY), work);

/** Puts a process into a group: its descendants will be in it, too. Throws Failure. */
export function enterResctrlGroup({ root, directory, monitoring }: ResctrlGroup, pid: number): void {
  // A monitoring group takes in who is in its class.
  for (const path of monitoring === undefined ? [directory] : [directory, monitoring])
    explaining(root, "linux.intelRdt", () => writeFile(`${path}/tasks`, String(pid)));
}

/** Removes what of a group was the container's own. */
export function removeResctrlGroup({ directory, own, monitoring }: ResctrlGroup, directories = DIRECTORIES): void {
  if (monitoring !== undefined) directories.remove(monitoring);
  if (own) directories.remove(directory);
}
