import type { Places } from "./places.js";

/** What the compiler has to know beside the config: the host's and the caller's side of a container. */
export interface Facts {
  readonly id: string;
  /** Absolute paths. */
  readonly bundle: string;
  readonly rootfs: string;
  /** How many descriptors behind the standard three the container keeps. */
  readonly preserveFds: number;
  /** Whether the runtime is privileged outside of a user namespace that is joined: then that one is joined last. */
  readonly privileged: boolean;
  /** Whether init is in a user namespace, its own or the runtime's: the host's devices are not made there but bound. */
  readonly userNamespace: boolean;
  /** Whether the runtime may make mounts for an init in a user namespace of its own; else init makes them all. */
  readonly makesMounts: boolean;
  /** Whether init gets a session keyring of its own. */
  readonly newKeyring: boolean;
  /** The capabilities that init has, a bit each: more cannot be granted. */
  readonly permitted: bigint;
  /** The home directory of the process's user as the image's /etc/passwd has it, for $HOME. */
  readonly home: string;
  readonly cgroup: CgroupFacts;
  readonly places: Places;
  /** What linux.seccomp compiles to, where that is known. */
  readonly filter?: Uint8Array | undefined;
  /** Where the root is moved to "/" instead of changed: the host's mounts of proc and sysfs, latest first. */
  readonly kernelMounts?: readonly string[];
  /** The mount point below which the root file system lies; needed where the root's propagation is shared. */
  readonly parentMount?: string;
}

/** How init enters its cgroups, and what a mount of type cgroup shows. */
export interface CgroupFacts {
  readonly version: 1 | 2;
  /** Cgroup v1: names of the hierarchies whose `tasks` files init is handed and writes itself to. */
  readonly tasks: readonly string[];
  /** Cgroup v2: whether init starts in the cgroup whose descriptor the launcher is handed. */
  readonly into: boolean;
  /** Whether the runtime moves the process to a cgroup below its own, once that is the root of its namespace. */
  readonly delegated?: boolean;
  /** Whether systemd moves the process to its cgroups, before it executes the program. */
  readonly moved?: boolean;
  readonly hierarchies: readonly {
    /** Its directory's name below /sys/fs/cgroup: "cpu,cpuacct", "systemd"; "" for cgroup v2. */
    readonly directory: string;
    /** Its mount options: controllers, or "name=systemd". */
    readonly options: readonly string[];
    /** The container's cgroup in it, an absolute path on the host; the runtime's where the container has none. */
    readonly path: string;
    readonly own: boolean;
  }[];
}

/** The names of the slots that whoever launches a program fills with descriptors. */
export const input = {
  /** The socket to the runtime process. */
  sync: "sync",
  /** The listening socket that `start` connects to. */
  start: "start",
  /** The socket that takes the terminal. */
  console: "console",
  tasks: (name: string) => `tasks:${name}`,
  namespace: (type: string) => `namespace:${type}`,
  /** A mount that the runtime made, by its index in the config: id-mapped ones. */
  mount: (index: number) => `mount:${index}`,
};
