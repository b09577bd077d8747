import { isBind } from "../config/rules/is-bind.js";
import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount } from "../generated/config.js";
import { cleanPath } from "./target.js";

/**
 * Where paths lead that have symbolic links in them, an absolute path each: those of the config by their JSON paths, and
 * "/dev" by itself.
 */
export type Places = ReadonlyMap<string, string>;

/** The config's mounts with the places that their destinations lead to. */
export function placedMounts({ mounts = [] }: Config, places: Places): readonly Mount[] {
  if (places.size === 0) return mounts;
  return mounts.map((mount, i) => ({
    ...mount,
    destination: places.get(`mounts[${i}].destination`) ?? mount.destination,
  }));
}

/** Where /dev is. */
export const placeOfDev = (places: Places): string => places.get("/dev") ?? "/dev";

/** Where a file of /dev is, by its own path and that directory's place. */
export const placeInDev = (path: string, dev: string): string => cleanPath(dev + path.slice("/dev".length));

/** Where the device of linux.devices is that has this path and index. */
export const placeOfDevice = (path: string, index: number, places: Places): string =>
  cleanPath(places.get(`linux.devices[${index}].path`) ?? path);

/** Whether devices are made: not where the container shows a /dev that is there already. */
export const makesDevices = (config: Config, places: Places): boolean =>
  hasNamespace(config, "mount") &&
  !placedMounts(config, places).some((mount) => isBind(mount) && cleanPath(mount.destination) === placeOfDev(places));
