import type { Config, Device, DeviceRule, Mount, Resources } from "../generated/config.js";
import type { NetworkWishes } from "../net/connect.js";
import { dockerSeccomp } from "./docker-seccomp.js";
import type { IdMaps } from "./id-maps.js";
import type { ImageConfig } from "./image.js";
import { type SeccompProfile, seccompOf } from "./seccomp-profile.js";

/** What is asked of a bundle beside what its image says; flags of `docker run` have these names. */
export interface RunOptions {
  /** "NAME=value". */
  env: readonly string[];
  workdir: string | undefined;
  user: string | undefined;
  /** In place of the image's, whose arguments go with it; "" for none. */
  entrypoint: string | undefined;
  /** In place of the image's arguments, where there are any. */
  command: readonly string[];
  hostname: string | undefined;
  /** "NAME=value". */
  label: readonly string[];
  volume: readonly (Mount | NamedVolume)[];
  tmpfs: readonly Mount[];
  device: readonly DeviceOption[];
  resources: Resources;
  /** What a user namespace maps ids by; undefined: there is none. */
  ids: IdMaps | undefined;
  /** Undefined: a network namespace with nothing in it but lo. */
  network: NetworkWishes | undefined;
  /** "CAP_…", or "ALL". */
  capAdd: readonly string[];
  capDrop: readonly string[];
  readOnly: boolean;
  tty: boolean;
  noNewPrivileges: boolean;
  /** Docker's default filter, none, or another. */
  seccomp: "default" | "unconfined" | SeccompProfile;
}

/** A device of the host's: the container's file, and the rule that allows its use. */
export interface DeviceOption {
  readonly file: Device;
  readonly rule: DeviceRule;
}

/** A mount of a directory that the store keeps under a name, for whichever bundles ask for it. */
export interface NamedVolume extends Omit<Mount, "source"> {
  readonly name: string;
}

/** Every capability of Linux 5.9 and later; capabilities(7). */
const ALL =
  "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER " +
  "FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE " +
  "NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE " +
  "SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM";

export const ALL_CAPABILITIES: readonly string[] = ALL.split(" ").map((name) => `CAP_${name}`);

/** An image's configuration with what is asked for in place of what it says. */
export function withRunOptions(image: ImageConfig, options: RunOptions): ImageConfig {
  const { entrypoint, command } = options;
  const replaced = new Set(options.env.map(nameOf));
  const mounted = new Set([...options.volume, ...options.tmpfs].map(({ destination }) => destination));
  const labels = new Set(options.label.map(nameOf));
  return {
    ...image,
    env: [...image.env.filter((entry) => !replaced.has(nameOf(entry))), ...options.env],
    workingDir: options.workdir ?? image.workingDir,
    user: options.user ?? image.user,
    hostname: options.hostname ?? image.hostname,
    entrypoint: entrypoint === undefined ? image.entrypoint : entrypoint === "" ? [] : [entrypoint],
    cmd: command.length > 0 || entrypoint !== undefined ? command : image.cmd,
    labels: [
      ...image.labels.filter(([name]) => !labels.has(name)),
      ...options.label.map((text): [string, string] => [nameOf(text), text.slice(nameOf(text).length + 1)]),
    ],
    volumes: image.volumes.filter((destination) => !mounted.has(destination)),
  };
}

const nameOf = (entry: string): string => entry.split("=", 1)[0];

/**
 * A bundle's configuration with what is asked for beside what the image can say.
 * @param volumes the mounts of the volumes that are asked for, those with names too
 */
export function applyRunOptions(config: Config, options: RunOptions, volumes: readonly Mount[]): Config {
  const process = config.process as NonNullable<Config["process"]>;
  const given = process.capabilities?.bounding ?? [];
  const capabilities = withCapabilities(given, options);
  const env = process.env ?? [];
  const hasTerm = !options.tty || env.some((entry) => nameOf(entry) === "TERM");
  const { seccomp, ids, device } = options;
  const namespaces = config.linux?.namespaces ?? [];
  return {
    ...config,
    process: {
      ...process,
      env: hasTerm ? env : [...env, "TERM=xterm"],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...(options.tty ? { terminal: true } : {}),
      ...(options.noNewPrivileges ? { noNewPrivileges: true } : {}),
    },
    root: { path: "rootfs", ...(options.readOnly ? { readonly: true } : {}) },
    mounts: [...(config.mounts ?? []), ...options.tmpfs, ...volumes],
    linux: {
      ...config.linux,
      ...(ids === undefined
        ? {}
        : {
            namespaces: [...namespaces, { type: "user" as const }],
            uidMappings: [...ids.uids],
            gidMappings: [...ids.gids],
          }),
      ...(device.length === 0 ? {} : { devices: device.map(({ file }) => file) }),
      resources: {
        ...config.linux?.resources,
        ...options.resources,
        devices: [...(config.linux?.resources?.devices ?? []), ...device.map(({ rule }) => rule)],
      },
      ...(seccomp === "unconfined" ? {} : { seccomp: filterOf(seccomp, capabilities) }),
    },
  };
}

const filterOf = (profile: "default" | SeccompProfile, capabilities: readonly string[]) =>
  profile === "default" ? dockerSeccomp(capabilities) : seccompOf(profile, capabilities);

/** As docker has it: "ALL" first, and what is named one by one wins over it. */
function withCapabilities(given: readonly string[], { capAdd, capDrop }: RunOptions): string[] {
  const start = capAdd.includes("ALL") ? ALL_CAPABILITIES : capDrop.includes("ALL") ? [] : given;
  const all = new Set([...start, ...capAdd].filter((name) => name !== "ALL" && !capDrop.includes(name)));
  return [...all].sort();
}
