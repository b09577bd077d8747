import { accessSync, closeSync, constants, mkdirSync, openSync, rmdirSync } from "node:fs";
import { cstring, fromCstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EINVAL, errnoName, errnoText } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { type Fd, quote } from "../linux/file.js";
import { attempt, must, sys } from "../linux/syscall.js";
import { causeOf } from "./cause.js";

/** The directories of an overlay file system, and its further options; overlayfs.rst in the kernel's documentation. */
export interface Overlay {
  /** From the topmost to the lowest; at least one. */
  lower: readonly string[];
  upper: string;
  work: string;
  /** "volatile", "index=off". */
  options: readonly string[];
}

const MOUNT = "mount an overlay file system";

/**
 * Mounts an overlay file system at no place: the descriptor is all there is of it, and it is gone when that is closed.
 * Throws Failure with the kernel's own words.
 */
export function mountOverlay(overlay: Overlay): Fd {
  const context = must("fsopen", "open file system overlay", attempt("fsopen", cstring("overlay"), C.FSOPEN_CLOEXEC));
  try {
    for (const directory of overlay.lower) {
      const result = setOption(context, "lowerdir+", directory);
      if (result === -EINVAL) return mountOverlayByPage(overlay);
      check(context, `overlay file system on ${quote(directory)}`, result);
    }
    const { upper, work, options } = overlay;
    for (const option of [`upperdir=${inOption(upper)}`, `workdir=${inOption(work)}`, ...options]) {
      const [key, value] = option.split(/=(.*)/s);
      check(context, `overlay file system with ${quote(option)}`, setOption(context, key, value));
    }
    check(context, MOUNT, attempt("fsconfig", context, C.FSCONFIG_CMD_CREATE, null, null, 0));
    return writable(sys("fsmount", context, C.FSMOUNT_CLOEXEC, 0), work);
  } finally {
    closeSync(context);
  }
}

/** How a directory is given, and shown in mountinfo, as upper or work directory: with escapes. */
export const inOption = (directory: string): string => directory.replace(/[\\,:]/g, "\\$&");

function setOption(context: Fd, key: string, value: string | undefined): number {
  if (value === undefined) return attempt("fsconfig", context, C.FSCONFIG_SET_FLAG, cstring(key), null, 0);
  return attempt("fsconfig", context, C.FSCONFIG_SET_STRING, cstring(key), cstring(value), 0);
}

/** Throws Failure for a negative result, with what the kernel says through the context, as fsopen(2) has it. */
function check(context: Fd, what: string, result: number): void {
  if (result >= 0) return;
  const message = new Uint8Array(1024);
  const length = attempt("read", context, message, message.length);
  const told = fromCstring(message.subarray(0, Math.max(length, 0))).replace(/^\w overlay: /, "");
  throw refused(what, -result, told.trim());
}

const refused = (what: string, errno: number, told: string): Failure =>
  new Failure(what, { cause: `${errnoText(errno)} (${errnoName(errno)})`, hint: told === "" ? undefined : told });

/**
 * The same for kernels before 6.5, which know no option "lowerdir+", and for paths that are too long for an option of
 * fsconfig(2): all options in the one page that mount(2) takes. Layers stand in it by the numbers of their descriptors,
 * so that many fit in. It is mounted beside the work directory for a moment.
 */
export function mountOverlayByPage({ lower, upper, work, options }: Overlay): Fd {
  const opened: Fd[] = [];
  const place = `${work}.mount`;
  const open = (directory: string): Fd => {
    const fd = openSync(directory, C.O_PATH | C.O_DIRECTORY);
    opened.push(fd);
    return fd;
  };
  mkdirSync(place);
  try {
    const here = open(".");
    const directories = [
      `lowerdir=${lower.map(open).join(":")}`,
      `upperdir=${inOption(upper)}`,
      `workdir=${inOption(work)}`,
    ];
    const page = cstring([...directories, ...options].join(","));
    if (page.length > 4096) throw new Failure(`${lower.length} layers`, { cause: "this kernel takes fewer" });
    sys("chdir", cstring("/proc/self/fd"));
    const result = attempt("mount", cstring("overlay"), cstring(place), cstring("overlay"), 0, page);
    sys("fchdir", here);
    if (result < 0) throw refused(MOUNT, -result, "");
    try {
      const flags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC;
      return writable(sys("open_tree", C.AT_FDCWD, cstring(place), flags), work);
    } finally {
      sys("umount2", cstring(place), C.MNT_DETACH);
    }
  } finally {
    for (const fd of opened) closeSync(fd);
    rmdirSync(place);
  }
}

/**
 * Passes a mount on that can be written. The kernel makes one that cannot, and says so in its log alone, where it cannot
 * make its own directory in the work directory. Throws Failure then, with what hinders us to make one.
 */
function writable(mount: Fd, work: string): Fd {
  try {
    accessSync(`/proc/self/fd/${mount}/.`, constants.W_OK);
    return mount;
  } catch {
    closeSync(mount);
  }
  try {
    mkdirSync(`${work}/try`);
    rmdirSync(`${work}/try`);
  } catch (error) {
    throw new Failure(MOUNT, { cause: causeOf(error) });
  }
  throw new Failure(MOUNT, { cause: "it is read-only" });
}

/** Attaches a mount that is at no place yet. Throws SyscallError. */
export function attach(mount: Fd, path: string): void {
  const result = attempt("move_mount", mount, cstring(""), C.AT_FDCWD, cstring(path), C.MOVE_MOUNT_F_EMPTY_PATH);
  must("move_mount", `mount on ${quote(path)}`, result);
}
