import { EBUSY, errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { attemptWriteFile, quote, readFile } from "../linux/file.js";
import { parentOf } from "./location.js";

const FILE = "cgroup.subtree_control";

/**
 * Has a v2 cgroup's ancestors hand controllers down to it, as many of the wanted ones as they can.
 *
 * @param directory the cgroup's, below `mountPoint`
 * @param needed those of the wanted that must come through
 * @throws Failure if one does not
 */
export function enableControllers(
  mountPoint: string,
  directory: string,
  wanted: readonly string[],
  needed: readonly string[],
): void {
  const parent = parentOf(directory);
  const lackingIn = (controllers: readonly string[]) => {
    const enabled = readFile(`${parent}/${FILE}`).trimEnd().split(" ");
    return controllers.filter((controller) => !enabled.includes(controller));
  };
  const lacking = lackingIn(wanted);
  if (lacking.length === 0) return;
  const failures = new Map<string, Failure>();
  let ancestor = mountPoint;
  for (const name of parent.slice(mountPoint.length).split("/")) {
    if (name !== "") ancestor += `/${name}`;
    if (enable(ancestor, lacking) === 0) continue;
    // One that fails keeps the others from being enabled: each by itself, then.
    for (const controller of lacking) {
      const errno = enable(ancestor, [controller]);
      if (errno !== 0 && !failures.has(controller)) failures.set(controller, refused(ancestor, controller, errno));
    }
  }
  if (failures.size === 0) return;
  for (const controller of lackingIn(needed)) {
    const failure = failures.get(controller);
    if (failure) throw failure;
  }
}

const enable = (directory: string, controllers: readonly string[]): number =>
  -attemptWriteFile(`${directory}/${FILE}`, controllers.map((controller) => `+${controller}`).join(" "));

const refused = (directory: string, controller: string, errno: number): Failure =>
  new Failure(`write "+${controller}" to ${quote(`${directory}/${FILE}`)}`, {
    cause: `${errnoText(errno)} (${errnoName(errno)})`,
    hint: errno === EBUSY ? "a cgroup that holds processes cannot hand out controllers" : undefined,
  });
