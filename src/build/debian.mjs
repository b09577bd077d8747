/*
 * Files from the Debian archive, by apt, without touching the system's own package lists: apt gets a sources list, a
 * list directory and a cache of our own. What it fetches is vouched for by Debian's archive key.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Unavailable } from "./unavailable.mjs";

const RELEASE = "trixie";
const KEYRINGS = ["pgp", "gpg"].map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`);

/**
 * Downloads into `directory`, which is made anew.
 *
 * @param {string} directory
 * @param {{ source?: string, package?: string, architecture?: string }} wanted the name of a source package, of which
 *   the original tarball is fetched; or of a binary package, for a Debian architecture such as "arm64"
 * @returns {string} the path of the file
 * @throws {Unavailable} without apt, Debian's key or the network
 */
export function fetchFromDebian(directory, wanted) {
  const keyring = KEYRINGS.find(existsSync);
  if (!existsSync("/usr/bin/apt-get")) throw new Unavailable("there is no apt-get");
  if (!keyring) throw new Unavailable("Debian's archive keyring is not installed");
  rmSync(directory, { recursive: true, force: true });
  const apt = join(directory, "apt");
  for (const part of ["sources", "lists/partial", "cache"]) mkdirSync(join(apt, part), { recursive: true });
  const source = {
    Types: wanted.source ? "deb-src" : "deb",
    URIs: mirror(),
    Suites: RELEASE,
    Components: "main",
    "Signed-By": keyring,
    ...(wanted.architecture && { Architectures: wanted.architecture }),
  };
  const fields = Object.entries(source).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(join(apt, "sources/debian.sources"), fields.join(""));
  const options = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": join(apt, "sources"),
    "Dir::State::Lists": join(apt, "lists"),
    "Dir::Cache": join(apt, "cache"),
    "Acquire::Languages": "none",
    "APT::Update::Error-Mode": "any",
    "APT::Sandbox::User": process.getuid() === 0 ? "root" : "",
    ...(wanted.architecture && { "APT::Architectures::": wanted.architecture }),
  };
  const get = (...args) => {
    const settings = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const command = { cwd: directory, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" };
    const { status, stderr, error } = spawnSync("apt-get", ["-qq", ...settings, ...args], command);
    if (status !== 0)
      throw new Unavailable(`apt-get ${args[0]}: ${error?.message ?? /^E: (.*)/m.exec(stderr)?.[1] ?? stderr}`);
  };
  get("update");
  if (wanted.source) get("source", "--download-only", "--tar-only", wanted.source);
  else get("download", `${wanted.package}:${wanted.architecture}`);
  rmSync(apt, { recursive: true });
  return join(directory, readdirSync(directory)[0]);
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
