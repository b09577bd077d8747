import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, open, quote, readFile, readlink, replaceFile, type Stat, stat } from "../linux/file.js";
import { mountLines, parseMount } from "../linux/mount-info.js";

/** The file beside criu's own, in a checkpoint's directory, that tells what the standard streams were. */
const DESCRIPTORS = "descriptors.json";

const TERMINALS = [4, 5, 136, 137, 138, 139, 140, 141, 142, 143];

/**
 * What a container's standard streams are, by criu's names for what lies outside of the container: pipes, files that it
 * does not see, terminals. Empty for what criu restores by itself. The host's null device is named "null[…]" instead of
 * "file[…]": it is restored as what it was, whatever the streams of who restores are.
 */
export function externalStreams(pid: number): string[] {
  const mounts = new Set([...mountLines(`/proc/${pid}/mountinfo`)].map((line) => parseMount(line).id));
  return [0, 1, 2].map((stream) => {
    const path = `/proc/${pid}/fd/${stream}`;
    const status = stat(path);
    if (status === undefined) return "";
    const target = readlink(path);
    if (target.startsWith("pipe:[")) return target;
    const mount = Number(/^mnt_id:\s*(\d+)$/m.exec(readFile(`/proc/${pid}/fdinfo/${stream}`))?.[1]);
    if (!target.startsWith("/") || mounts.has(mount)) return "";
    if (isTerminal(status)) return `tty[${number(status.device)}:${number(status.fileSystem)}]`;
    return `${isNull(status) ? "null" : "file"}[${mount.toString(16)}:${status.inode.toString(16)}]`;
  });
}

const isTerminal = ({ mode, device }: Stat): boolean =>
  (mode & C.S_IFMT) === C.S_IFCHR && TERMINALS.includes(device.major);

const isNull = ({ mode, device: { major, minor } }: Stat): boolean =>
  (mode & C.S_IFMT) === C.S_IFCHR && major === 1 && minor === 3;

/** What criu calls a stream. */
const criuName = (name: string): string => name.replace(/^null\[/, "file[");

/** A device's number as criu writes it: dev_t of makedev(3). */
const number = ({ major, minor }: Stat["device"]): string =>
  ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)).toString(16);

/** Those of the streams that criu has to be told of when it saves them; pipes it knows by themselves. */
export const externalNames = (streams: readonly string[]): string[] => [
  ...new Set(streams.filter((name) => name !== "" && !name.startsWith("pipe:")).map(criuName)),
];

/** Keeps the streams' names with a checkpoint. Throws SyscallError. */
export function saveStreams(directory: string, streams: readonly string[]): void {
  replaceFile(`${directory}/${DESCRIPTORS}`, JSON.stringify(streams), 0o600);
}

/**
 * By a checkpoint's names of its streams: the descriptors of this process that take their places. The null device is
 * opened and handed to `keep`. Throws Failure.
 */
export function inheritedStreams(directory: string, keep: (fd: Fd) => Fd): { key: string; fd: Fd }[] {
  const file = `${directory}/${DESCRIPTORS}`;
  let names: unknown;
  try {
    names = JSON.parse(readFile(file));
  } catch (cause) {
    throw new Failure(`read ${quote(file)}`, { cause, hint: "was the checkpoint made completely?" });
  }
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string"))
    throw new Failure(quote(file), { cause: "not a list of texts" });
  const taken = new Set<string>();
  return names.slice(0, 3).flatMap((name: string, stream) => {
    const key = criuName(name);
    if (!/^(pipe|file|tty)[:[]/.test(key) || taken.has(key)) return [];
    taken.add(key);
    return [{ key, fd: key === name ? stream : keep(open("/dev/null", C.O_RDWR)) }];
  });
}
