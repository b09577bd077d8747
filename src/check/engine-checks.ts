import { C } from "../linux/constants.js";
import { type Check, type Finding, missing, ok, partly } from "./check.js";
import type { Host } from "./host.js";

/** A program that calls low-level runtimes. */
interface Engine {
  readonly name: string;
  readonly program: string;
  /** Its configuration: files, and directories of such, in the order in which it reads them; "~" is the caller's home. */
  readonly files: readonly string[];
  /** How runtimes' paths stand there. */
  readonly path: RegExp;
  readonly advice: string;
}

/** Where people put fdrunc, in advice. */
const PATH = "/usr/local/bin/fdrunc";

const ENGINES: readonly Engine[] = [
  {
    name: "containerd",
    program: "containerd",
    files: ["/etc/containerd/config.toml", "/etc/containerd/conf.d/"],
    path: /^\s*BinaryName\s*=\s*["']([^"']*)["']/gm,
    advice: `add a runtime of type "io.containerd.runc.v2" whose options have BinaryName = "${PATH}" to /etc/containerd/config.toml`,
  },
  {
    name: "docker",
    program: "dockerd",
    files: ["/etc/docker/daemon.json"],
    path: /"path"\s*:\s*"([^"]*)"/g,
    advice: `add "runtimes": {"fdrunc": {"path": "${PATH}"}} to /etc/docker/daemon.json`,
  },
  {
    name: "podman",
    program: "podman",
    files: ["/usr/share/containers/", "/etc/containers/", "~/.config/containers/"].flatMap((directory) => [
      `${directory}containers.conf`,
      `${directory}containers.conf.d/`,
    ]),
    path: /^\s*[\w"'.-]+\s*=\s*\[\s*["']([^"']*)["']/gm,
    advice: `put [engine.runtimes] and fdrunc = ["${PATH}"] into /etc/containers/containers.conf.d/fdrunc.conf`,
  },
  {
    name: "CRI-O",
    program: "crio",
    files: ["/etc/crio/crio.conf", "/etc/crio/crio.conf.d/"],
    path: /^\s*runtime_path\s*=\s*["']([^"']*)["']/gm,
    advice: `put [crio.runtime.runtimes.fdrunc] and runtime_path = "${PATH}" into /etc/crio/crio.conf.d/50-fdrunc.conf`,
  },
];

export const ENGINE_CHECKS: readonly Check[] = [
  ...ENGINES.map(
    (engine): Check => ({
      name: engine.name,
      means: `containers of ${engine.name}'s that fdrunc runs`,
      advice: engine.advice,
      look: (host) => lookAtEngine(engine, host),
    }),
  ),
  {
    name: "kubelet",
    means: "pods whose runtimeClassName leads to fdrunc",
    advice:
      "register fdrunc with the node's containerd or CRI-O, and a RuntimeClass with handler fdrunc in the cluster",
    look(host) {
      const version = versionOf("kubelet", host);
      return version === undefined ? NOT_INSTALLED : ok(`${version}; the cluster knows its RuntimeClasses`);
    },
  },
];

const NOT_INSTALLED: Finding = { state: "unused", found: "not installed" };

function lookAtEngine(engine: Engine, host: Host): Finding {
  const version = versionOf(engine.program, host);
  const registered = registeredPaths(engine, host);
  if (registered.length === 0)
    return version === undefined ? NOT_INSTALLED : missing(`${version}, fdrunc is unknown to it`);
  const found = `${version ?? "not in $PATH"}, fdrunc is registered`;
  const broken = registered.find(({ path }) => !host.may(path, C.X_OK));
  if (broken !== undefined)
    return {
      ...partly(`${found} as ${broken.path}, which cannot be executed`),
      advice: `install fdrunc there, or correct ${broken.file}`,
    };
  return ok(`${found} in ${registered.map(({ file }) => file).join(" ")}`);
}

/** What a program calls its version; undefined where the program is not there. */
function versionOf(name: string, { program, ask }: Host): string | undefined {
  const path = program(name);
  if (path === undefined) return undefined;
  return /\d+\.[\w.+~-]+/.exec(ask(path, "--version") ?? "")?.[0] ?? "of an unknown version";
}

/** The paths by which an engine knows fdrunc, and the files that say so. */
function registeredPaths({ files, path }: Engine, { read, list, home }: Host): { path: string; file: string }[] {
  return files
    .map((file) => file.replace("~", home))
    .flatMap((file) => (file.endsWith("/") ? list(file).map((name) => file + name) : [file]))
    .flatMap((file) => {
      const text = (read(file) ?? "").replace(/^\s*#.*$/gm, "");
      return [...text.matchAll(path)].map(([, found]) => ({ path: found, file }));
    })
    .filter((found) => /\/fdrunc[^/]*$/.test(found.path));
}
