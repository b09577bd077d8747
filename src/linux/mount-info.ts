import { ffi } from "../ffi/driver.js";
import { concat } from "./bytes.js";
import { C } from "./constants.js";
import { close, open, read } from "./file.js";

/** A mount as /proc/<pid>/mountinfo describes it; proc_pid_mountinfo(5). */
export interface Mount {
  id: number;
  /** The id of the mount that it is mounted on. */
  parent: number;
  /** The file system's device, "8:1". */
  device: string;
  /** The path inside the file system that is the mount's root, "/" unless a part of it is mounted. */
  root: string;
  mountPoint: string;
  /** The mount's own options, "rw,relatime". */
  options: string[];
  /** Propagation, "shared:2", "master:1"; empty for a private mount. */
  propagation: string[];
  type: string;
  source: string;
  /** The file system's options. */
  superOptions: string[];
}

/** Takes a line of mountinfo apart. */
export function parseMount(line: string): Mount {
  const fields = line.split(" ");
  const [id, parent, device, root, mountPoint, options] = fields;
  const dash = fields.indexOf("-", 6);
  const [type, source, superOptions] = fields.slice(dash + 1);
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescaped(root),
    mountPoint: unescaped(mountPoint),
    options: options.split(","),
    propagation: fields.slice(6, dash),
    type,
    source: unescaped(source),
    superOptions: superOptions.split(",").map(unescaped),
  };
}

/** Space, tab, line feed, backslash and, in options, comma stand as three octal digits. */
const unescaped = (text: string): string =>
  !text.includes("\\")
    ? text
    : text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/**
 * The lines of a mountinfo file, oldest mounts first. The kernel writes them as they are read: who stops early, on a
 * host with thousands of mounts, has not paid for the rest. Throws SyscallError.
 */
export function* mountLines(path = "/proc/self/mountinfo"): Generator<string, void> {
  const fd = open(path, C.O_RDONLY);
  try {
    let rest = new Uint8Array(0);
    const part = new Uint8Array(4096);
    for (;;) {
      const count = read(fd, part);
      if (count === 0) return;
      const bytes = concat([rest, part.subarray(0, count)]);
      const end = bytes.lastIndexOf(10) + 1;
      rest = bytes.slice(end);
      if (end > 0) yield* ffi.decode(bytes.subarray(0, end - 1)).split("\n");
    }
  } finally {
    close(fd);
  }
}
