import { Cgroup } from "../cgroup/cgroup.js";
import { converse, type Notice } from "../criu/converse.js";
import type { Content } from "../criu/protobuf.js";
import type { Config } from "../generated/config.js";
import { cleanPath } from "../init/target.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, isDirectory, keeping, quote, stat } from "../linux/file.js";
import { absolutePath } from "../linux/path.js";
import { attempt } from "../linux/syscall.js";
import { apart } from "./apart.js";
import {
  type CriuOptions,
  checkDirectories,
  commonOptions,
  type Directories,
  openDirectories,
  telling,
} from "./criu-options.js";
import { destroy } from "./destroy.js";
import { externalMounts } from "./external-mounts.js";
import { dumpedNamespaces } from "./external-namespaces.js";
import { externalNames, saveStreams } from "./external-streams.js";
import type { GlobalOptions } from "./options.js";
import type { Saved } from "./saved.js";
import { StateDirectory } from "./state-directory.js";
import { statusOf } from "./status.js";

/** What `checkpoint` takes. */
export interface CheckpointOptions extends CriuOptions {
  /** An earlier checkpoint's directory, relative to this one's, of which only the differences are saved. */
  readonly parentPath?: string;
  /** Whether the container goes on. */
  readonly leaveRunning: boolean;
  /** Whether to save memory alone, ahead of the checkpoint; the container goes on. */
  readonly preDump: boolean;
  /** Whether connections that are just being made may get lost. */
  readonly tcpSkipInFlight: boolean;
  readonly linkRemap: boolean;
  /** Where memory is sent to, instead of into files; with lazy pages, where it can be fetched from. */
  readonly pageServer?: { readonly address: string; readonly port: number };
  /** The descriptor that takes a zero byte once memory can be fetched. */
  readonly statusFd?: Fd;
}

/** In what a container must be for its processes to be saved. */
const ALIVE: readonly string[] = ["running", "paused"];

/** A container that can be saved. */
type Dumpable = Saved & Required<Pick<Saved, "streams">>;

/** Saves a container's processes by criu, and removes the container unless it is to go on. Throws Failure. */
export function checkpoint({ root, warn }: GlobalOptions, id: string, options: CheckpointOptions): void {
  const what = `checkpoint container ${quote(id)}`;
  const directory = StateDirectory.open(root, id).lock();
  const saved = directory.read();
  requireDumpable(saved, what);
  const config = directory.readConfig();
  checkParent(options);
  if (options.statusFd !== undefined) checkStatusFd(options.statusFd);
  const directories = checkDirectories(options, "dump.log", true);
  telling(what, directories, () => {
    requireFeatures(options);
    dump(directory, saved, config, options, directories);
  });
  if (!options.leaveRunning && !options.preDump) destroy(directory, saved, warn);
}

function requireDumpable(saved: Saved | undefined, what: string): asserts saved is Dumpable {
  const status = statusOf(saved);
  if (!ALIVE.includes(status)) throw new Failure(what, { cause: `container not running (its status is ${status})` });
  if (saved?.streams === undefined)
    throw new Failure(what, { cause: "it was made by an earlier fdrunc, which did not note its standard streams" });
}

function checkParent({ imagePath, parentPath }: CheckpointOptions): void {
  if (parentPath === undefined) return;
  const flag = `--parent-path ${quote(parentPath)}`;
  if (parentPath.startsWith("/")) throw new Failure(flag, { cause: "must be relative to --image-path" });
  // The directory of the image itself need not be there yet.
  const path = cleanPath(absolutePath(`${imagePath}/${parentPath}`));
  const status = stat(path);
  if (status === undefined || !isDirectory(status))
    throw new Failure(flag, { cause: `there is no directory ${quote(path)}` });
}

function checkStatusFd(fd: Fd): void {
  const flags = attempt("fcntl", fd, C.F_GETFL);
  if (flags < 0) throw new Failure(`--status-fd ${fd}`, { cause: "not open" });
  if ((flags & ACCESS_MODE) === C.O_RDONLY) throw new Failure(`--status-fd ${fd}`, { cause: "not open for writing" });
}

const ACCESS_MODE = 3;

/** What criu would only fail of later, less clearly. */
function requireFeatures({ preDump, lazyPages }: CheckpointOptions): void {
  if (!preDump && !lazyPages) return;
  const { features } = converse({ kind: "feature-check", content: { mem_track: preDump, lazy_pages: lazyPages } });
  if (preDump && !features?.mem_track)
    throw new Failure("--pre-dump", { cause: "criu finds that the kernel does not track changes of memory" });
  if (lazyPages && !features?.lazy_pages)
    throw new Failure("--lazy-pages", { cause: "criu finds that the kernel cannot fetch memory lazily" });
}

function dump(
  directory: StateDirectory,
  saved: Dumpable,
  config: Config,
  options: CheckpointOptions,
  directories: Directories,
): void {
  const { leaveRunning, linkRemap, tcpSkipInFlight, parentPath, pageServer, preDump, statusFd } = options;
  const freezer = new Cgroup(saved.cgroup).freezerDirectory;
  const content: Content = {
    ...commonOptions(options, config, directories),
    pid: saved.pid,
    root: saved.rootfs,
    leave_running: leaveRunning,
    link_remap: linkRemap,
    tcp_skip_in_flight: tcpSkipInFlight,
    ...(freezer !== undefined && { freeze_cgroup: freezer }),
    ...(pageServer !== undefined && { ps: { ...pageServer } }),
    ...(parentPath !== undefined && { parent_img: parentPath }),
    track_mem: preDump || parentPath !== undefined,
  };
  keeping((keep) => {
    const started = (pid: number) => openDirectories(pid, directories, keep);
    if (preDump) converse({ kind: "pre-dump", content, started });
    else {
      saveStreams(directories.images, saved.streams);
      const external = [...dumpedNamespaces(saved.pid, config), ...externalNames(saved.streams)];
      const places = new Map(Object.entries(saved.places ?? {}));
      const ext_mnt = externalMounts(saved.pid, config, places).map((path) => ({ key: path, val: path }));
      const notified = ({ script }: Notice) => {
        if (script !== "status-ready" || statusFd === undefined) return;
        attempt("write", statusFd, new Uint8Array(1), 1);
        close(statusFd);
      };
      apart(directory, saved, () =>
        converse({ kind: "dump", content: { ...content, external, ext_mnt }, started, notified }),
      );
    }
  });
}
