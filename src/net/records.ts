import { cstring, viewOf } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EEXIST, EINVAL, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import {
  close,
  type Fd,
  listDirectory,
  mkdir,
  mkdirAll,
  open,
  quote,
  readFile,
  removeTree,
  replaceFile,
  stat,
} from "../linux/file.js";
import { processStatus } from "../linux/process.js";
import { attempt, must, SyscallError, sys } from "../linux/syscall.js";
import type { Attachment } from "./cni-network.js";

/** What is known of a container's network, as long as anything of it is there. */
export interface NetRecord {
  readonly id: string;
  /** The container's process, told from later ones of that id by its start time. */
  readonly pid: number;
  readonly startTime: number;
  readonly bundle: string;
  /** The devices from eth0 on. */
  readonly attachments: readonly Attachment[];
  /** The content of the container's files below /etc, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Whether the process that a record was made for is still there. */
export function isAlive({ pid, startTime }: Pick<NetRecord, "pid" | "startTime">): boolean {
  const process = processStatus(pid);
  return process !== undefined && process.startTime === startTime && process.state !== "Z" && process.state !== "X";
}

const RECORD = "record.json";
const containersIn = (root: string): string => `${root}/containers`;

/** Where the network namespace of a container is kept: for other containers to join, and for the plugins. */
export const netnsPath = (root: string, id: string): string => `${containersIn(root)}/${id}/netns`;

/** A container's directory: its record and its network namespace. Locked from the opening to the closing. */
export class Records {
  private constructor(
    readonly id: string,
    readonly path: string,
    private readonly fd: Fd,
  ) {}

  /** The directory of a container, made where there is none. Waits while another command has it. Throws Failure. */
  static make(root: string, id: string): Records {
    requireId(id);
    mkdirAll(containersIn(root), 0o700);
    for (;;) {
      try {
        mkdir(`${containersIn(root)}/${id}`, 0o700);
      } catch (error) {
        if (!(error instanceof SyscallError && error.errno === EEXIST)) throw error;
      }
      const records = Records.open(root, id);
      if (records !== undefined) return records;
    }
  }

  /**
   * The directory of a container, if there is one. Waits while another command has it; with "try" it counts as none then.
   * Throws Failure.
   */
  static open(root: string, id: string, mode: "wait" | "try" = "wait"): Records | undefined {
    requireId(id);
    const path = `${containersIn(root)}/${id}`;
    const flags = C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW | C.O_CLOEXEC;
    const fd = attempt("openat", C.AT_FDCWD, cstring(path), flags);
    if (fd === -ENOENT) return undefined;
    must("openat", ["open", path], fd);
    const locked = mode === "wait" ? sys("flock", fd, C.LOCK_EX) : attempt("flock", fd, C.LOCK_EX | C.LOCK_NB);
    // Who had it before may have removed it.
    if (locked >= 0 && stat(".", fd)?.inode === stat(path)?.inode) return new Records(id, path, fd);
    close(fd);
    return undefined;
  }

  /** The ids of all containers, sorted. */
  static list(root: string): string[] {
    return listDirectory(containersIn(root)).sort();
  }

  /** A container's record, whoever has it locked; undefined where there is none. Throws Failure. */
  static peek(root: string, id: string): NetRecord | undefined {
    requireId(id);
    return readRecord(`${containersIn(root)}/${id}/${RECORD}`);
  }

  read(): NetRecord | undefined {
    return readRecord(`${this.path}/${RECORD}`);
  }

  save(record: NetRecord): void {
    replaceFile(RECORD, JSON.stringify(record), 0o600, this.fd);
  }

  /** Keeps a process's network namespace, also when the process ends. Returns its path. Throws SyscallError. */
  keepNamespace(pid: number): string {
    const path = `${this.path}/netns`;
    close(open(path, C.O_RDONLY | C.O_CREAT, 0o600));
    const source = `/proc/${pid}/ns/net`;
    must("mount", ["mount", path], attempt("mount", cstring(source), cstring(path), null, C.MS_BIND, null));
    return path;
  }

  /** The path of the namespace that is kept; empty where none is, after a restart of the machine for one. */
  get namespace(): string {
    const path = `${this.path}/netns`;
    return isNamespace(path) ? path : "";
  }

  remove(): void {
    const path = `${this.path}/netns`;
    const result = attempt("umount2", cstring(path), C.MNT_DETACH | C.UMOUNT_NOFOLLOW);
    if (result !== -ENOENT && result !== -EINVAL) must("umount2", ["unmount", path], result);
    removeTree(this.path);
  }

  close(): void {
    close(this.fd);
  }
}

/** A record as it was saved last: one that a crash has left empty is none. */
function readRecord(path: string): NetRecord | undefined {
  try {
    const text = readFile(path);
    return text === "" ? undefined : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENOENT) return undefined;
    throw new Failure(quote(path), { cause: error });
  }
}

function isNamespace(path: string): boolean {
  const status = new Uint8Array(120);
  const result = attempt("statfs", cstring(path), status);
  return result === 0 && viewOf(status).getUint32(0, true) === C.NSFS_MAGIC;
}

/** As fdrunc has ids. */
function requireId(id: string): void {
  if (!/^[A-Za-z0-9_+.-]+$/.test(id) || id === "." || id === "..")
    throw new Failure(`container id ${quote(id)}`, { cause: 'not of the form [A-Za-z0-9_+.-]+, or "." or ".."' });
}
