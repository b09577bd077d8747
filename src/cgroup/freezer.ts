import { ENODEV, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { quote, readFile, writeFile } from "../linux/file.js";
import { sleep } from "../linux/sleep.js";
import { expecting } from "../linux/syscall.js";

/** How a version of cgroups stops processes. */
interface Freezer {
  /** The file that says whether the processes are to be stopped, and its two contents. */
  control: string;
  frozen: string;
  thawed: string;
  /** The file that has a line which says that all are. */
  state: string;
  done: string;
  /** The file that is "1" while the cgroup's own processes are to be stopped, whatever those above it are told. */
  own: string;
}

const FREEZERS: Record<1 | 2, Freezer> = {
  1: {
    control: "freezer.state",
    frozen: "FROZEN",
    thawed: "THAWED",
    state: "freezer.state",
    done: "FROZEN",
    own: "freezer.self_freezing",
  },
  2: {
    control: "cgroup.freeze",
    frozen: "1",
    thawed: "0",
    state: "cgroup.events",
    done: "frozen 1",
    own: "cgroup.freeze",
  },
};

/** How often to look whether all have stopped, and after how many of these to let them go on for a moment. */
const TRIES = 2000;
const RESPITE = 50;

/**
 * Stops all processes of a cgroup and waits until they have stopped.
 *
 * @param directory the cgroup's, in v2 or in v1's freezer hierarchy
 * @throws Failure if some do not stop within about two seconds; then all go on
 */
export function freeze(directory: string, version: 1 | 2): void {
  const { control, frozen, state, done } = FREEZERS[version];
  for (let i = 0; i < TRIES; i++) {
    // Again and again: v1 overlooks processes that are just being made.
    if (i === 0 || version === 1) writeFile(`${directory}/${control}`, frozen);
    if (lines(`${directory}/${state}`).includes(done)) return;
    sleep(i < 10 ? 0.1 : 1);
    if (version === 1 && i % RESPITE === RESPITE - 1) {
      thaw(directory, version);
      sleep(1);
    }
  }
  thaw(directory, version);
  throw new Failure(`freeze cgroup ${quote(directory)}`, { cause: "some of its processes do not stop" });
}

/** Lets the processes of a cgroup go on; where it does not exist, there are none. Throws SyscallError. */
export function thaw(directory: string, version: 1 | 2): void {
  const { control, thawed } = FREEZERS[version];
  expecting([ENOENT, ENODEV], undefined, () => writeFile(`${directory}/${control}`, thawed));
}

/** Whether a cgroup's processes were told to stop; not so where it does not exist. Throws SyscallError. */
export function isFrozen(directory: string, version: 1 | 2): boolean {
  return expecting([ENOENT, ENODEV], false, () => readFile(`${directory}/${FREEZERS[version].own}`) === "1\n");
}

const lines = (path: string): string[] => readFile(path).split("\n");
