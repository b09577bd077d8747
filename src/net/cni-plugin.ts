import { ffi } from "../ffi/driver.js";
import { spawn } from "../launch/spawn.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, quote, readFile, writeAll } from "../linux/file.js";
import { DEFAULT_PATH } from "../linux/find-program.js";
import { waitFor } from "../linux/process.js";
import { attempt, sys } from "../linux/syscall.js";

/** What a plugin is asked for (CNI specification 1.0.0, "Parameters"). */
export interface CniParameters {
  readonly command: "ADD" | "DEL" | "CHECK" | "VERSION";
  readonly containerId: string;
  /** The path of the container's network namespace; empty where it is gone. */
  readonly netns: string;
  /** The name of the device in the container. */
  readonly ifname: string;
  /** CNI_ARGS: "NAME=VALUE;…". */
  readonly args: string;
}

/** Where plugins are, unless the environment's CNI_PATH says otherwise: as Debian and as others install them. */
const PLUGIN_PATH = "/usr/lib/cni:/opt/cni/bin:/usr/libexec/cni";

/** The code by which a plugin says that it does not know the version of the configuration ("Error"). */
const INCOMPATIBLE = 1;

/**
 * Runs a plugin, looked up by its type, with a configuration on its standard input. Returns what it prints, parsed;
 * undefined where that is nothing. Throws Failure.
 */
export function callPlugin(type: string, parameters: CniParameters, config: object): unknown {
  const path = variable("CNI_PATH") || PLUGIN_PATH;
  const what = `plugin ${quote(type)}`;
  const file = path.split(":").find((directory) => isExecutable(`${directory}/${type}`));
  if (type.includes("/") || file === undefined)
    throw new Failure(what, {
      cause: `there is none in ${path}`,
      hint: "on Debian the package containernetworking-plugins has it; CNI_PATH names other directories",
    });
  const { status, output, errors } = run(
    what,
    `${file}/${type}`,
    environment(parameters, path),
    JSON.stringify(config),
  );
  const printed = parse(output);
  if (status === "0") {
    if (printed === undefined && output.trim() !== "")
      throw new Failure(what, { cause: "prints something else than JSON" });
    return printed;
  }
  const { code, msg, details } = (printed ?? {}) as { code?: number; msg?: string; details?: string };
  const said = msg === undefined ? lastLine(errors || output) : details ? `${msg}: ${details}` : msg;
  const versions = code === INCOMPATIBLE && parameters.command !== "VERSION" ? supported(type, config) : undefined;
  throw new Failure(`${what}: ${parameters.command}`, {
    cause: said || `ended with ${status}`,
    ...(versions && { hint: `it supports the versions ${versions.join(", ")}` }),
  });
}

/** The versions of the protocol that a plugin says that it knows. */
function supported(type: string, config: object): readonly string[] | undefined {
  const parameters: CniParameters = { command: "VERSION", containerId: "", netns: "", ifname: "", args: "" };
  try {
    const told = callPlugin(type, parameters, { cniVersion: (config as { cniVersion?: string }).cniVersion });
    return (told as { supportedVersions?: string[] } | undefined)?.supportedVersions;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

const variable = (name: string): string | undefined =>
  ffi.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);

const isExecutable = (path: string): boolean =>
  attempt("faccessat2", C.AT_FDCWD, cstring(path), C.X_OK, C.AT_EACCESS) === 0;

/** This process's environment, where plugins find iptables by PATH, which hooks may be without; and the parameters. */
function environment({ command, containerId, netns, ifname, args }: CniParameters, path: string): string[] {
  const given = ffi.environ.filter((entry) => !/^(CNI_\w+|PATH)=/.test(entry));
  const asked = [`CNI_COMMAND=${command}`, `CNI_PATH=${path}`, `PATH=${variable("PATH") || DEFAULT_PATH}`];
  if (command === "VERSION") return [...given, ...asked];
  const container = [`CNI_CONTAINERID=${containerId}`, `CNI_IFNAME=${ifname}`, `CNI_ARGS=${args}`];
  return [...given, ...asked, ...container, `CNI_NETNS=${netns}`];
}

/** Runs a file with input. Returns how it ended, "0" where well, and what it has put out on both its streams. */
function run(what: string, path: string, env: readonly string[], input: string) {
  const files: Fd[] = [];
  const memory = (name: string): Fd => {
    const fd = sys("memfd_create", cstring(`fdnet-${name}`), C.MFD_CLOEXEC);
    files.push(fd);
    return fd;
  };
  try {
    const [stdin, stdout, stderr] = ["input", "output", "errors"].map(memory);
    writeAll(stdin, input);
    sys("lseek", stdin, 0, C.SEEK_SET);
    const ending = waitFor(
      spawn({
        what,
        // Who takes back what was half done must not meet it still at work.
        diesWithStarter: true,
        executable: { path, args: [path], env },
        streams: { stdin, stdout, stderr },
      }),
    );
    const [output, errors] = [stdout, stderr].map((fd) => readFile(`/proc/self/fd/${fd}`));
    const status = "signal" in ending ? `signal ${ending.signal}` : String(ending.status);
    return { status: status === "0" || "signal" in ending ? status : `exit status ${status}`, output, errors };
  } finally {
    for (const fd of files) close(fd);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";
