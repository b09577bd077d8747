import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { IdMaps } from "../../bundle/id-maps.js";
import { ALL_CAPABILITIES, type DeviceOption, type NamedVolume, type RunOptions } from "../../bundle/run-options.js";
import type { SeccompProfile } from "../../bundle/seccomp-profile.js";
import type { Mount } from "../../generated/config.js";
import { checkWishes, type NetworkWishes } from "../../net/connect.js";
import { withNetworkFlags } from "../network-flags.js";
import { parseSize } from "../size.js";
import { toDevice } from "./to-device.js";
import { toVolume } from "./to-volume.js";
import { toIdMaps } from "./userns.js";
import { wrong } from "./wrong.js";

/** The flags of `docker run` that a bundle can have, as commander reads them. */
export interface RunFlags extends Omit<NetworkWishes, "hostname"> {
  env: string[];
  workdir?: string;
  user?: string;
  entrypoint?: string;
  hostname?: string;
  label: string[];
  volume: (Mount | NamedVolume)[];
  device: DeviceOption[];
  tmpfs: Mount[];
  memory?: number;
  cpus?: number;
  pids?: number;
  capAdd: string[];
  capDrop: string[];
  readOnly?: boolean;
  tty?: boolean;
  userns?: IdMaps;
  securityOpt: string[];
}

/** The period that `--cpus` counts in, in microseconds. */
const PERIOD = 100_000;

/** Defines the flags, and a command with arguments that comes after what the bundle is made of. */
export function withRunFlags(command: Command): Command {
  return withNetworkFlags(command)
    .argument("[command...]", "what to run in place of the image's arguments; its own options behind --")
    .option("-e, --env <name=value>", "a variable; without a value, with the one here", collect(toVariable), [])
    .option("-w, --workdir <directory>", "the working directory")
    .option("-u, --user <user>", "name or id of the user, and of the group behind a colon")
    .option("--entrypoint <program>", "what to run in place of the image's program")
    .option("--hostname <name>", "what the container calls itself")
    .option("-l, --label <name=value>", "an annotation", collect(String), [])
    .option(
      "-v, --volume <volume>",
      "SOURCE:CONTAINER[:ro]: the host's, or a volume's by its name",
      collect(toVolume),
      [],
    )
    .option("--tmpfs <mount>", "CONTAINER[:OPTION,…]: a directory in memory", collect(toTmpfs), [])
    .option("--device <device>", "HOST[:CONTAINER[:rwm]]: a device of the host's", collect(toDevice), [])
    .option("-m, --memory <bytes>", "the limit of memory: 64M", toSize)
    .option("--cpus <number>", "the limit of CPU time, in processors: 1.5", toCpus)
    .option("--pids <number>", "the limit of processes and threads", toCount)
    .option("--cap-add <capability>", "NET_ADMIN, or ALL", collect(toCapability("cap-add")), [])
    .option(
      "--cap-drop <capability>",
      "one that docker gives by default, or ALL",
      collect(toCapability("cap-drop")),
      [],
    )
    .option("--read-only", "the root file system cannot be written")
    .option("-t, --tty", "with a terminal")
    .option("--userns <maps>", "a user namespace: auto, or INSIDE:OUTSIDE:COUNT with commas between several", toIdMaps)
    .option("--security-opt <option>", "seccomp=FILE, seccomp=unconfined, or no-new-privileges", collect(String), []);
}

/** What the flags ask for. Throws Failure. */
export function runOptions(flags: RunFlags, command: readonly string[]): RunOptions {
  const { memory, cpus, pids, entrypoint, workdir, user, hostname } = flags;
  return {
    ...flags,
    entrypoint,
    workdir,
    user,
    hostname,
    command,
    resources: {
      ...(memory === undefined ? {} : { memory: { limit: memory } }),
      ...(cpus === undefined ? {} : { cpu: { quota: Math.round(cpus * PERIOD), period: PERIOD } }),
      ...(pids === undefined ? {} : { pids: { limit: pids } }),
    },
    readOnly: flags.readOnly ?? false,
    tty: flags.tty ?? false,
    ids: flags.userns,
    network: network(flags),
    ...security(flags.securityOpt),
  };
}

/** What network is wished for, if any flag tells of one. Throws Failure. */
function network({ net, ip, mac, subnet, publish, dns, addHost, hostname }: RunFlags): RunOptions["network"] {
  const wishes: NetworkWishes = { net, ip, mac, subnet, publish, dns, addHost };
  if ([net, mac, ...ip, ...subnet, ...publish, ...dns, ...addHost].every((wish) => wish === undefined))
    return undefined;
  checkWishes({ ...wishes, hostname });
  return wishes;
}

function security(options: readonly string[]): Pick<RunOptions, "seccomp" | "noNewPrivileges"> {
  let seccomp: RunOptions["seccomp"] = "default";
  let noNewPrivileges = false;
  for (const option of options) {
    const profile = /^seccomp=(.+)$/.exec(option)?.[1];
    if (profile === "unconfined" || profile === "default") seccomp = profile;
    else if (profile !== undefined) seccomp = readProfile(profile);
    else if (option === "no-new-privileges") noNewPrivileges = true;
    else throw wrong("security-opt", option, "neither seccomp=… nor no-new-privileges");
  }
  return { seccomp, noNewPrivileges };
}

/** A profile; the runtime checks what comes of it. */
function readProfile(path: string): SeccompProfile {
  let profile: SeccompProfile;
  try {
    profile = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw wrong("security-opt", path, (cause as Error).message);
  }
  if (typeof profile?.defaultAction !== "string")
    throw wrong("security-opt", path, "neither a filter as in config.json nor a profile as docker has them");
  return profile;
}

const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[]): T[] => [...before, parse(text)];

function toVariable(text: string): string {
  if (/^[^=]+=/s.test(text)) return text;
  const value = process.env[text];
  if (value === undefined) throw wrong("env", text, "no value is given, and none is here");
  return `${text}=${value}`;
}

function toTmpfs(text: string): Mount {
  const [destination, options = ""] = text.split(/:(.*)/s);
  if (!destination.startsWith("/")) throw wrong("tmpfs", text, "not an absolute path");
  const given = options.split(",").filter((option) => option !== "");
  return { destination, type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", ...given] };
}

function toSize(text: string): number {
  const size = parseSize(text);
  if (!size) throw wrong("memory", text, "no number of bytes");
  return size;
}

function toCpus(text: string): number {
  const cpus = /^\d*\.?\d+$/.test(text) ? Number(text) : 0;
  if (cpus < 0.01) throw wrong("cpus", text, "not a number of processors, 0.01 or more");
  return cpus;
}

function toCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw wrong("pids", text, "not a number above 0");
  return Number(text);
}

const toCapability =
  (flag: string) =>
  (text: string): string => {
    const name = text.toUpperCase();
    if (name === "ALL") return name;
    const whole = name.startsWith("CAP_") ? name : `CAP_${name}`;
    if (!ALL_CAPABILITIES.includes(whole)) throw wrong(flag, text, "there is no capability of that name");
    return whole;
  };
