import { CriuFailure } from "../criu/converse.js";
import { lastError } from "../criu/log.js";
import { CGROUP_MODES, DEFAULT_CGROUP_MODE } from "../criu/messages.js";
import type { Content } from "../criu/protobuf.js";
import type { Config } from "../generated/config.js";
import { C } from "../linux/constants.js";
import { Failure } from "../linux/failure.js";
import { close, exists, type Fd, mkdirAll, open, openat2, quote, using } from "../linux/file.js";
import { absolutePath } from "../linux/path.js";

/** What `checkpoint` and `restore` both take. */
export interface CriuOptions {
  /** The directory of the checkpoint. */
  readonly imagePath: string;
  /** Where criu writes its log; with the checkpoint, where there is none. */
  readonly workPath?: string;
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  /** A word of `CGROUP_MODES`; criu's own choice without. */
  readonly cgroupsMode?: string;
}

/** The directories that criu works in, by absolute paths. */
export interface Directories {
  readonly images: string;
  readonly work?: string;
  /** The path of criu's log. */
  readonly log: string;
}

/** Looks for a checkpoint's directories; `make` makes that of the images. Throws Failure. */
export function checkDirectories(options: CriuOptions, logFile: string, make: boolean): Directories {
  const images = checkDirectory("--image-path", options.imagePath, make);
  if (options.workPath === undefined) return { images, log: `${images}/${logFile}` };
  const work = checkDirectory("--work-path", options.workPath, true);
  return { images, work, log: `${work}/${logFile}` };
}

function checkDirectory(flag: string, path: string, make: boolean): string {
  try {
    if (make) mkdirAll(path, 0o700);
    close(open(path, C.O_RDONLY | C.O_DIRECTORY));
    return absolutePath(path);
  } catch (cause) {
    throw new Failure(`${flag} ${quote(path)}`, { cause });
  }
}

/**
 * criu_opts that hand criu its directories, which it takes from this process: as its own mount namespace has them, since
 * it mounts in them.
 */
export function openDirectories(pid: number, { images, work }: Directories, keep: (fd: Fd) => Fd): Content {
  return using(open(`/proc/${pid}/root`, C.O_PATH | C.O_DIRECTORY), (root) => {
    // Links that are absolute lead through that root, too: containerd's work directory is one.
    const opened = (path: string) => keep(openat2(root, path, C.O_RDONLY | C.O_DIRECTORY, C.RESOLVE_IN_ROOT));
    return { images_dir_fd: opened(images), ...(work !== undefined && { work_dir_fd: opened(work) }) };
  });
}

/** criu's own settings for containers: fdrunc's, else runc's. */
const CONFIG_FILES = ["/etc/criu/fdrunc.conf", "/etc/criu/runc.conf"];

/** criu_opts that saving and restoring a container have in common. */
export function commonOptions(options: CriuOptions, { annotations }: Config, directories: Directories): Content {
  const { tcpEstablished, extUnixSk, shellJob, fileLocks, autoDedup, lazyPages, cgroupsMode } = options;
  const config = annotations?.["org.criu.config"] ?? CONFIG_FILES.find((path) => exists(path)) ?? "";
  return {
    log_level: 4,
    log_file: directories.log.slice(directories.log.lastIndexOf("/") + 1),
    notify_scripts: true,
    manage_cgroups: true,
    manage_cgroups_mode: cgroupsMode === undefined ? DEFAULT_CGROUP_MODE : CGROUP_MODES[cgroupsMode],
    // Whoever made the network makes it again, by hooks: that is no business of criu's.
    empty_ns: C.CLONE_NEWNET,
    orphan_pts_master: true,
    tcp_established: tcpEstablished,
    ext_unix_sk: extUnixSk,
    shell_job: shellJob,
    file_locks: fileLocks,
    auto_dedup: autoDedup,
    lazy_pages: lazyPages,
    ...(config !== "" && { config_file: config }),
  };
}

/** Runs what criu does; of its failure, tells the cause that its log has. Throws Failure. */
export function telling<T>(what: string, { log }: Directories, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof CriuFailure)) throw error;
    const cause = lastError(log);
    if (cause === undefined) throw new Failure(what, { cause: error });
    throw new Failure(what, { cause: `criu: ${cause}`, hint: `see ${quote(log)}` });
  }
}
