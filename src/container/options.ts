import type { Fault } from "../init/fault.js";

/** How a command was told to treat containers, for all commands. */
export interface GlobalOptions {
  /** The directory below which the containers' own directories lie. */
  readonly root: string;
  /** Whether the caller has no rights over the host's cgroups: then a container does without those it may not make. */
  readonly rootless: boolean;
  /** Takes what is worth knowing and is no error. */
  readonly warn: (message: string) => void;
  /** Takes what helps to find faults; absent where nobody wants to know. */
  readonly note?: (message: string) => void;
}

/** What can manage cgroups. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** What `create` and `run` take. */
export interface CreateOptions extends GlobalOptions {
  readonly id: string;
  readonly bundle: string;
  /** The config's file, where it is not the bundle's config.json. */
  readonly config?: string;
  readonly pidFile?: string;
  /** The socket that takes the terminal of a container that is not in the foreground. */
  readonly consoleSocket?: string;
  /** The socket that takes a descriptor of the container's process. */
  readonly pidfdSocket?: string;
  readonly preserveFds: number;
  readonly newKeyring: boolean;
  /** Whether the root is changed by pivot_root(2); else it is moved. */
  readonly pivot: boolean;
  /** What makes the container's cgroups; it gets none where they are not to be managed. */
  readonly cgroupManager: CgroupManager;
  /** A step to make fail on purpose. */
  readonly fault?: Fault;
  /** Whether the command stays and serves the container's terminal. */
  readonly foreground: boolean;
}
