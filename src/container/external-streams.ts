import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { type Fd, fstat, open, quote, readFile, readlink, replaceFile, type Stat } from "../linux/file.js";

/** The file beside criu's own, in a checkpoint's directory, that tells what the standard streams were. */
const DESCRIPTORS = "descriptors.json";

const TERMINALS = [4, 5, 136, 137, 138, 139, 140, 141, 142, 143];

/**
 * What the streams are that a container is given, by criu's names for what lies outside of a container: files,
 * terminals, pipes. Empty for what criu restores by itself. The host's null device is named "null[…]" instead of
 * "file[…]": it is restored as what it was, whatever the streams of who restores are.
 *
 * They are asked for when the container is made: a shell that is carrying out `echo >file` has put something else in
 * their place.
 */
export const streamNames = (streams: readonly Fd[]): string[] => streams.map(streamName);

function streamName(fd: Fd): string {
  const status = fstat(fd);
  const { mode, mount, inode } = status;
  switch (mode & C.S_IFMT) {
    case C.S_IFIFO: {
      const target = readlink(`/proc/self/fd/${fd}`);
      if (target.startsWith("pipe:[")) return target;
      break;
    }
    case C.S_IFREG:
    case C.S_IFDIR:
    case C.S_IFBLK:
      break;
    case C.S_IFCHR:
      if (isTerminal(status)) return `tty[${number(status.device)}:${number(status.fileSystem)}]`;
      break;
    default:
      return "";
  }
  return `${isNull(status) ? "null" : "file"}[${mount.toString(16)}:${inode.toString(16)}]`;
}

const isTerminal = ({ device }: Stat): boolean => TERMINALS.includes(device.major);

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

/** What takes the place of a checkpoint's standard streams. */
interface Restored {
  /** By criu's names: descriptors of this process. */
  readonly inherited: { key: string; fd: Fd }[];
  /** What the streams are from then on, as `streamNames` has it. */
  readonly streams: string[];
}

/** Finds what takes the place of a checkpoint's streams. The null device is opened and handed to `keep`. Throws Failure. */
export function restoredStreams(directory: string, keep: (fd: Fd) => Fd): Restored {
  const file = `${directory}/${DESCRIPTORS}`;
  let names: unknown;
  try {
    names = JSON.parse(readFile(file));
  } catch (cause) {
    throw new Failure(`read ${quote(file)}`, { cause, hint: "was the checkpoint made completely?" });
  }
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string"))
    throw new Failure(quote(file), { cause: "not a list of texts" });
  const descriptors = new Map<string, Fd>();
  const streams = names.slice(0, 3).map((name: string, stream) => {
    const key = criuName(name);
    if (!/^(pipe|file|tty)[:[]/.test(key)) return "";
    const fd = descriptors.get(key) ?? (key === name ? stream : keep(open("/dev/null", C.O_RDWR)));
    descriptors.set(key, fd);
    return streamName(fd);
  });
  return { inherited: [...descriptors].map(([key, fd]) => ({ key, fd })), streams };
}
