import { posix } from "node:path";
import { defaultConfig } from "../config/defaults.js";
import type { Config, Mount, Process } from "../generated/config.js";
import type { ImageConfig } from "./image.js";
import type { ImageUser } from "./image-user.js";

/** What docker gives containers, whoever runs in them. */
const CAPABILITIES =
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";

/** What docker hides beside what `fdrunc spec` does. */
const MASKED = ["/proc/interrupts", "/sys/devices/virtual/powercap"];

/** Annotations that runtimes act upon on the host: an image's labels must not set them. */
const UNSAFE = /^(org\.systemd\.property\.|org\.criu\.|run\.oci\.)/;

/** What is asked of whoever runs an image that says nothing itself. */
export const SHELL = ["/bin/sh"];

/** A directory that keeps the data of one of an image's volumes. */
export interface Volume {
  /** Where it is in the container. */
  destination: string;
  /** Where it is in the bundle; relative. */
  source: string;
}

/**
 * The runtime's configuration of an image's (image-spec, conversion.md), on defaults that are docker's: the root file
 * system can be written, there is no terminal, programs may gain privileges by set-id bits.
 * @param name what the container calls itself where the image does not say
 * @param warn is told of what cannot be taken over
 */
export function bundleConfig(
  image: ImageConfig,
  user: ImageUser,
  volumes: readonly Volume[],
  name: string,
  warn: (message: string) => void,
): Config {
  const config = defaultConfig();
  return {
    ...config,
    process: processOf(image, user, warn),
    root: { path: "rootfs" },
    hostname: hostnameOf(image.hostname || name),
    mounts: [...(config.mounts ?? []), ...volumes.map(toMount)],
    annotations: annotationsOf(image, warn),
    linux: { ...config.linux, maskedPaths: [...(config.linux?.maskedPaths ?? []), ...MASKED] },
  };
}

function processOf(image: ImageConfig, user: ImageUser, warn: (message: string) => void): Process {
  const args = [...image.entrypoint, ...image.cmd];
  if (args.length === 0) warn(`the image names no program to run: ${SHELL} will be run`);
  const capabilities = CAPABILITIES.split(" ").map((capability) => `CAP_${capability}`);
  return {
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: args.length === 0 ? SHELL : args,
    env: environment(image.env, user.home),
    cwd: posix.join("/", image.workingDir),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
  };
}

/** The image's own variables, and those that every program expects. */
function environment(given: readonly string[], home: string): string[] {
  const has = (name: string) => given.some((entry) => entry.startsWith(`${name}=`));
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return [...(has("PATH") ? [] : [path]), ...given, ...(has("HOME") ? [] : [`HOME=${home}`])];
}

/** A host name has letters, digits, hyphens and dots, and 64 bytes at most; hostname(7). */
const hostnameOf = (name: string): string => name.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, 64);

const toMount = ({ destination, source }: Volume): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", "rw"],
});

function annotationsOf(image: ImageConfig, warn: (message: string) => void): Record<string, string> {
  const implied: [name: string, value: string][] = [
    ["os", image.os],
    ["architecture", image.architecture],
    ["variant", image.variant],
    ["os.version", image.osVersion],
    ["os.features", image.osFeatures.join(",")],
    ["author", image.author],
    ["created", image.created],
    ["stopSignal", image.stopSignal],
    ["exposedPorts", image.exposedPorts.join(",")],
  ];
  const annotations = new Map<string, string>();
  for (const [name, value] of implied) if (value !== "") annotations.set(`org.opencontainers.image.${name}`, value);
  for (const [name, value] of image.labels) {
    if (UNSAFE.test(name)) warn(`the image's label ${JSON.stringify(name)} is left out: it acts on the host`);
    else if (name !== "") annotations.set(name, value);
  }
  return Object.fromEntries(annotations);
}
