/** A character device by its file and its number. */
export interface CharacterDevice {
  path: string;
  major: number;
  minor: number;
}

const device = (path: string, major: number, minor: number): CharacterDevice => ({ path, major, minor });

/** The devices that every container has (config-linux.md, "Default Devices"), readable and writable by everybody. */
export const DEFAULT_DEVICES: readonly CharacterDevice[] = [
  device("/dev/null", 1, 3),
  device("/dev/random", 1, 8),
  device("/dev/full", 1, 7),
  device("/dev/tty", 5, 0),
  device("/dev/zero", 1, 5),
  device("/dev/urandom", 1, 9),
];
