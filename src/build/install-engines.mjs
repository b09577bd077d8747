/*
 * `npm run install:engines [-- [--undo] [--path PATH] [ENGINE…]]`: tells engines of a runtime "fdrunc" at PATH, by default
 * /usr/local/bin/fdrunc, or takes that back. ENGINE is containerd, docker, podman or crio; those that are installed
 * unless given. What else their configuration has stays as it is. Uses Node's own modules only.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";

/**
 * By engine: its program, the file that is to tell it of fdrunc, that file's text with and without fdrunc by the text
 * that there is ("" for no file), and the command by which the engine takes note.
 */
const ENGINES = {
  containerd: {
    program: "containerd",
    file: "/etc/containerd/config.toml",
    add: (text, path) => withoutBlock(text) + containerdBlock(withoutBlock(text), path),
    remove: withoutBlock,
    afterwards: "systemctl restart containerd",
  },
  docker: {
    program: "dockerd",
    file: "/etc/docker/daemon.json",
    add(text, path) {
      const config = JSON.parse(text || "{}");
      return json({ ...config, runtimes: { ...config.runtimes, fdrunc: { path } } });
    },
    remove(text) {
      const { runtimes: { fdrunc, ...runtimes } = {}, ...config } = JSON.parse(text || "{}");
      return json({ ...config, ...(Object.keys(runtimes).length > 0 && { runtimes }) });
    },
    afterwards: "systemctl reload docker",
  },
  podman: {
    program: "podman",
    file: "/etc/containers/containers.conf.d/fdrunc.conf",
    add: (_, path) => `[engine.runtimes]\nfdrunc = [${JSON.stringify(path)}]\n`,
    remove: () => "",
  },
  crio: {
    program: "crio",
    file: "/etc/crio/crio.conf.d/50-fdrunc.conf",
    add: (_, path) =>
      `[crio.runtime.runtimes.fdrunc]\nruntime_path = ${JSON.stringify(path)}\nruntime_root = "/run/fdrunc"\n`,
    remove: () => "",
    afterwards: "systemctl restart crio",
  },
};

const BEGIN = "# fdrunc: begin\n";
const END = "# fdrunc: end\n";

/** containerd's configuration without what this script has added. */
function withoutBlock(text) {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  return from < 0 || to < from ? text : text.slice(0, from) + text.slice(to + END.length);
}

/** By the version of containerd's configuration: the name of the plugin that starts containers for Kubernetes. */
const CRI_PLUGINS = { 2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime" };

const TYPE = 'runtime_type = "io.containerd.runc.v2"';

/** Tables can be added behind others wherever these are. Where there is no configuration, the version is told, too. */
function containerdBlock(text, path) {
  const told = /^version\s*=\s*(\d+)/m.exec(text)?.[1];
  const version = told ?? (containerdRelease() >= 2 ? "3" : "2");
  const plugin = CRI_PLUGINS[version];
  if (plugin === undefined) throw new Error(`version ${version} of containerd's configuration is not known`);
  if (told === undefined && text.trim() !== "") throw new Error("containerd's configuration tells no version");
  const runtimes = `plugins."${plugin}".containerd.runtimes`;
  // With a runtime in the file containerd forgets the one that it knows by itself, and without that refuses to start pods.
  const runc = /\.runtimes\.["']?runc["']?\]/.test(text) ? "" : `[${runtimes}.runc]\n  ${TYPE}\n`;
  const systemd = /^\s*SystemdCgroup\s*=\s*true/m.test(text) ? "  SystemdCgroup = true\n" : "";
  return (
    `${text === "" || text.endsWith("\n") ? "" : "\n"}${BEGIN}${told === undefined ? `version = ${version}\n` : ""}` +
    `${runc}[${runtimes}.fdrunc]\n  ${TYPE}\n[${runtimes}.fdrunc.options]\n  BinaryName = ${JSON.stringify(path)}\n${systemd}${END}`
  );
}

const containerdRelease = () => Number(/ v?(\d+)\./.exec(spawnSync("containerd", ["--version"]).stdout ?? "")?.[1]);

const json = (value) => (Object.keys(value).length > 0 ? `${JSON.stringify(value, null, 2)}\n` : "");

const isInstalled = ({ program }) => spawnSync(program, ["--version"]).error === undefined;

function register({ file, add, remove, afterwards }, { path, undo }) {
  const old = existsSync(file) ? readFileSync(file, "utf8") : "";
  const text = undo ? remove(old) : add(old, path);
  if (text === "") rmSync(file, { force: true });
  else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return text === old ? `${file} is as it was` : `${file} is written${afterwards ? `; then: ${afterwards}` : ""}`;
}

const { values, positionals } = parseArgs({
  options: {
    undo: { type: "boolean", default: false },
    path: { type: "string", default: "/usr/local/bin/fdrunc" },
  },
  allowPositionals: true,
});
const installed = () => Object.keys(ENGINES).filter((name) => isInstalled(ENGINES[name]));
const names = positionals.length > 0 ? positionals : installed();
if (names.length === 0) console.log(`none of these is installed: ${Object.keys(ENGINES).join(", ")}`);
for (const name of names) {
  try {
    if (!(name in ENGINES)) throw new Error(`not one of ${Object.keys(ENGINES).join(", ")}`);
    console.log(`${name}: ${register(ENGINES[name], values)}`);
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
