/*
 * What the other scripts stand on, installed where it is missing: Debian packages (as root, where there is apt) and
 * node_modules. Uses Node's own modules only.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What npm needs to compile ffi-napi, and the build to make the QuickJS form. */
const TO_BUILD = ["g++", "gcc", "make", "python3", "xz-utils"];

/**
 * Installs what is missing of the packages and of node_modules. Packages that cannot be had are told and gone without.
 *
 * @param {string[]} packages Debian packages, beside those to build with
 * @throws {Error} when node_modules cannot be installed
 */
export function setUp(packages) {
  const missing = [...TO_BUILD, ...packages].filter((name) => !isInstalled(name));
  if (missing.length > 0) installPackages(missing);
  if (!hasModules()) installModules();
}

/** Whether node_modules has all that package-lock.json names; packages for other machines are optional there. */
function hasModules() {
  const installed = join(ROOT, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const there = packages(installed);
  const wanted = Object.entries(packages(join(ROOT, "package-lock.json")));
  return wanted.every(([path, { version, optional }]) => path === "" || optional || there[path]?.version === version);
}

function isInstalled(name) {
  const { stdout } = spawnSync("dpkg", ["-s", name], { encoding: "utf8" });
  return /^Status: install ok installed$/m.test(stdout ?? "");
}

function installPackages(names) {
  if (process.getuid() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    console.log(`not installed, and this is not root with apt: ${names.join(" ")}`);
    return;
  }
  console.log(`installing ${names.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8", env };
  spawnSync("apt-get", ["-qq", "update"], options);
  const install = (list) => spawnSync("apt-get", ["-qq", "-y", "--no-install-recommends", "install", ...list], options);
  if (install(names).status === 0) return;
  const failed = names.filter((name) => install([name]).status !== 0);
  if (failed.length > 0) console.log(`could not be installed: ${failed.join(" ")}`);
}

function installModules() {
  console.log("installing node_modules");
  // Where Node came with its headers, node-gyp need not fetch them.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include/node/node_api.h")) ? { npm_config_nodedir: prefix } : {};
  const options = {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    env: { ...process.env, ...headers },
  };
  const { status, stdout, stderr } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], options);
  if (status !== 0) throw new Error(`npm ci failed:\n${stdout}${stderr}`);
}
