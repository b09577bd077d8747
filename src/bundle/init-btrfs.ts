import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { mountLines, parseMount } from "../linux/mount-info.js";
import { causeOf } from "./cause.js";

/** mkfs.btrfs(8) makes none in less, in bytes. */
const LEAST = 114_294_784;

/**
 * Mounts a btrfs file system that lies in a file, on a store's directory. A file that exists is mounted as it is: so it
 * is after a restart of the machine.
 * @param size in bytes, for a file system to be made; undefined for one that is there
 */
export function initBtrfs(store: string, file: string, size: number | undefined): void {
  refuseUsed(store);
  if (size !== undefined) makeFileSystem(file, size);
  try {
    mkdirSync(store, { recursive: true, mode: 0o700 });
    run("mount", "-o", "loop,noatime", "-t", "btrfs", file, store);
    chmodSync(store, 0o700);
  } catch (error) {
    if (size !== undefined) rmSync(file, { force: true });
    throw error;
  }
}

/** A file system mounted over bundles would hide them. */
function refuseUsed(store: string): void {
  for (const line of mountLines()) {
    const { mountPoint, type } = parseMount(line);
    if (mountPoint === store)
      throw new Failure(quote(store), { cause: `a file system of type ${type} is mounted there` });
  }
  const bundles = `${store}/bundles`;
  if (existsSync(bundles) && readdirSync(bundles).length > 0)
    throw new Failure(quote(store), { cause: "there are bundles in it", hint: "--root names another directory" });
}

function makeFileSystem(file: string, size: number): void {
  if (size < LEAST) throw new Failure(`--size: ${size} bytes`, { cause: `btrfs needs ${LEAST} bytes` });
  try {
    const fd = openSync(file, "wx", 0o600);
    ftruncateSync(fd, size);
    closeSync(fd);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw new Failure(quote(file), {
      cause: causeOf(error),
      hint: isThere ? "without --size it is mounted" : undefined,
    });
  }
  try {
    run("mkfs.btrfs", "--quiet", file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** Runs a program to its end. Throws Failure with the last line that it says, where it fails. */
function run(program: string, ...args: string[]): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (error !== undefined) throw new Failure(`run ${program}`, { cause: causeOf(error) });
  if (status !== 0) throw new Failure(program, { cause: stderr.trim().split("\n").at(-1) || `exit status ${status}` });
}
