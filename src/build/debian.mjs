/*
 * Files from the Debian archive, by apt, without touching the system's own package lists: apt gets a sources list, a
 * list directory and a cache of our own. What it fetches is vouched for by Debian's archive key.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Unavailable } from "./unavailable.mjs";

/** The release of Debian that is taken from where none is named. */
const RELEASE = "trixie";
const KEYRINGS = ["pgp", "gpg"].map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`);

/**
 * Downloads into `directory`, which is made anew.
 *
 * @param {string} directory
 * @param {{ source?: string, package?: string, architecture?: string, release?: string }} wanted the name of a source
 *   package, of which the original tarball is fetched; or of a binary package, for a Debian architecture such as "arm64";
 *   from another release than most
 * @returns {string} the path of the file
 * @throws {Unavailable} without apt, Debian's key or the network
 */
export function fetchFromDebian(directory, wanted) {
  const { get, apt } = privateApt(directory, wanted.source ? "deb-src" : "deb", wanted.architecture, wanted.release);
  if (wanted.source) get("source", "--download-only", "--tar-only", wanted.source);
  else get("download", `${wanted.package}:${wanted.architecture}`);
  rmSync(apt, { recursive: true });
  return join(directory, readdirSync(directory)[0]);
}

/**
 * Downloads a binary package and all that it depends on, as for a system that has nothing, into `directory`, which is
 * made anew.
 *
 * @param {string} directory
 * @param {string} name the package's
 * @param {string} architecture Debian's name of it
 * @param {string} [release] Debian's name of its release
 * @returns {string[]} the paths of the packages' files
 * @throws {Unavailable} without apt, Debian's key or the network
 */
export function fetchWithDependencies(directory, name, architecture, release) {
  const { get, apt } = privateApt(directory, "deb", architecture, release);
  const nothing = join(apt, "status");
  writeFileSync(nothing, "");
  get("-o", `Dir::State::status=${nothing}`, "--no-install-recommends", "--download-only", "-y", "install", name);
  const archives = join(apt, "cache/archives");
  return readdirSync(archives)
    .filter((file) => file.endsWith(".deb"))
    .map((file) => join(archives, file));
}

/**
 * Makes a directory anew of what is in a binary package, without installing it.
 *
 * @param {string} directory
 * @param {{ package: string, architecture: string, release?: string, dependencies?: boolean }} wanted as of
 *   `fetchFromDebian`; with all that it depends on, if asked for
 * @throws {Unavailable} without apt, Debian's key or the network
 */
export function unpackFromDebian(directory, wanted) {
  const download = `${directory}.download`;
  try {
    const files = wanted.dependencies
      ? fetchWithDependencies(download, wanted.package, wanted.architecture, wanted.release)
      : [fetchFromDebian(download, wanted)];
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    for (const file of files) execFileSync("dpkg-deb", ["-x", file, directory]);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

/** An apt that knows the packages of a release of Debian and has its files in a directory, which is made anew. */
function privateApt(directory, type, architecture, release = RELEASE) {
  const keyring = KEYRINGS.find(existsSync);
  if (!existsSync("/usr/bin/apt-get")) throw new Unavailable("there is no apt-get");
  if (!keyring) throw new Unavailable("Debian's archive keyring is not installed");
  rmSync(directory, { recursive: true, force: true });
  const apt = join(directory, "apt");
  for (const part of ["sources", "lists/partial", "cache/archives/partial"])
    mkdirSync(join(apt, part), { recursive: true });
  const source = {
    Types: type,
    URIs: mirror(),
    Suites: release,
    Components: "main",
    "Signed-By": keyring,
    ...(architecture && { Architectures: architecture }),
  };
  const fields = Object.entries(source).map(([field, value]) => `${field}: ${value}\n`);
  writeFileSync(join(apt, "sources/debian.sources"), fields.join(""));
  const options = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": join(apt, "sources"),
    "Dir::State::Lists": join(apt, "lists"),
    "Dir::Cache": join(apt, "cache"),
    "Acquire::Languages": "none",
    // The lists of unstable are valid for a week only, which a mirror may be behind.
    "Acquire::Check-Valid-Until": "false",
    "APT::Update::Error-Mode": "any",
    "APT::Sandbox::User": process.getuid() === 0 ? "root" : "",
    ...(architecture && { "APT::Architectures::": architecture }),
  };
  const get = (...args) => {
    const settings = Object.entries(options).flatMap(([option, value]) => ["-o", `${option}=${value}`]);
    const command = { cwd: directory, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" };
    const { status, stderr, error } = spawnSync("apt-get", ["-qq", ...settings, ...args], command);
    if (status !== 0)
      throw new Unavailable(`apt-get ${args.join(" ")}: ${error?.message ?? /^E: (.*)/m.exec(stderr)?.[1] ?? stderr}`);
  };
  get("update");
  return { get, apt };
}

/** The Debian mirror that this machine's apt uses; Debian's own where it names none. */
export function mirror() {
  const parts = "/etc/apt/sources.list.d";
  const lists = [
    "/etc/apt/sources.list",
    ...(existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : []),
  ];
  for (const list of lists.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name))) {
    const text = readFileSync(list, "utf8").replace(/^#.*$/gm, "");
    const found = /\bhttps?:\/\/\S+\/debian\/?(?=\s)/.exec(text);
    if (found) return found[0];
  }
  return "http://deb.debian.org/debian";
}
