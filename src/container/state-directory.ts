import { parseChecked } from "../config/load.js";
import type { Config } from "../generated/config.js";
import { cstring } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { EEXIST, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import {
  close,
  type Fd,
  fstat,
  listDirectory,
  lstat,
  mkdir,
  mkdirAll,
  open,
  openat,
  quote,
  readFile,
  removeTree,
  replaceFile,
  type Stat,
  stat,
  using,
  writeAll,
} from "../linux/file.js";
import { attempt, SyscallError, sys } from "../linux/syscall.js";
import type { Saved } from "./saved.js";

/** The name of the socket, in a container's directory, that a created init waits at. */
export const START_SOCKET = "start.sock";
const STATE = "state.json";
/** The name of the copy of the config. */
const CONFIG = "config.json";

/** The directories of all containers below `--root`, and one container's. */
export class StateDirectory {
  private constructor(
    readonly id: string,
    readonly path: string,
    /** Open on the directory, and locked by those commands that change the container. */
    readonly fd: Fd,
  ) {}

  /** The directory of all containers. */
  get root(): string {
    return this.path.slice(0, this.path.lastIndexOf("/"));
  }

  /** Makes a container's directory and locks it. Throws Failure where the id is in use or not one. */
  static create(root: string, id: string): StateDirectory {
    checkId(id);
    const path = `${root}/${id}`;
    // With the sticky bit it stays in $XDG_RUNTIME_DIR for as long as that does (XDG Base Directory Specification).
    mkdirAll(root, 0o1700);
    for (const status of [stat(root), lstat(root)]) if (status !== undefined) requireOwn(root, status);
    try {
      mkdir(path, 0o700);
    } catch (error) {
      if (error instanceof SyscallError && error.errno === EEXIST)
        throw new Failure(`container ${quote(id)} already exists`, {
          hint: `\`fdrunc delete --force ${id}\` removes it`,
        });
      throw error;
    }
    return StateDirectory.#at(path, id).lock();
  }

  /** Opens a container's directory. Throws Failure where there is none. */
  static open(root: string, id: string): StateDirectory {
    checkId(id);
    const path = `${root}/${id}`;
    try {
      return StateDirectory.#at(path, id);
    } catch (error) {
      if (error instanceof SyscallError && error.errno === ENOENT) throw new NoContainer(id);
      throw error;
    }
  }

  /** What others have made is not trusted: its hooks would run with the caller's rights. */
  static #at(path: string, id: string): StateDirectory {
    const fd = open(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
    try {
      requireOwn(path, fstat(fd));
      return new StateDirectory(id, path, fd);
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** The ids of all containers, sorted. */
  static list(root: string): string[] {
    return listDirectory(root)
      .filter((name) => isId(name))
      .sort();
  }

  /** Locks the container if no other command changes it. Returns whether it did. */
  tryLock(): boolean {
    return attempt("flock", this.fd, C.LOCK_EX | C.LOCK_NB) >= 0;
  }

  /** Waits until no other command changes the container. Throws Failure where it is gone by then. flock(2) */
  lock(): this {
    sys("flock", this.fd, C.LOCK_EX);
    this.#requirePresent();
    return this;
  }

  /** Another command may have removed it, and a further one made one of the same id. */
  #requirePresent(): void {
    if (stat(".", this.fd)?.inode !== stat(this.path)?.inode) throw new NoContainer(this.id);
  }

  unlock(): void {
    sys("flock", this.fd, C.LOCK_UN);
  }

  /** What was saved last; undefined where there is nothing yet. Throws Failure, also where the container is gone. */
  read(): Saved | undefined {
    return this.#read<Saved>(STATE, JSON.parse);
  }

  /**
   * The config as it was when the container was created. It was checked then, and is believed: nobody writes to the
   * directory but who may do what a config asks for anyway. Throws Failure, also where the container is gone.
   */
  readConfig(): Config {
    const config = this.#read(CONFIG, parseChecked);
    if (config === undefined) throw new Failure(quote(`${this.path}/${CONFIG}`), { cause: "there is no such file" });
    return config;
  }

  #read<T extends { readonly ociVersion: string }>(name: string, parse: (text: string) => T): T | undefined {
    try {
      const read: T | null = parse(readFile(name, this.fd));
      if (read?.ociVersion === undefined) throw new Failure("it is not what was written there");
      return read;
    } catch (cause) {
      if (!(cause instanceof SyscallError) || cause.errno !== ENOENT)
        throw new Failure(`read ${quote(`${this.path}/${name}`)}`, { cause });
      this.#requirePresent();
      return undefined;
    }
  }

  save(saved: Saved): void {
    this.#writing(STATE, () => replaceFile(STATE, JSON.stringify(saved), 0o600, this.fd));
  }

  /** Keeps the config as it is now: what becomes of the bundle's file does not matter any more. */
  saveConfig(content: string): void {
    this.#writing(CONFIG, () =>
      using(openat(this.fd, CONFIG, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600), (fd) => writeAll(fd, content)),
    );
  }

  /** Names the file where it cannot be written. Throws Failure. */
  #writing(name: string, write: () => void): void {
    try {
      write();
    } catch (cause) {
      throw new Failure(quote(`${this.path}/${name}`), { cause });
    }
  }

  /** Removes the directory; the state goes last, so that a container that goes is not taken for one that comes. */
  remove(): void {
    for (const name of [START_SOCKET, CONFIG, STATE]) attempt("unlinkat", this.fd, cstring(name), 0);
    // Seldom is there anything else.
    if (attempt("unlinkat", C.AT_FDCWD, cstring(this.path), C.AT_REMOVEDIR) < 0) removeTree(this.path);
  }

  close(): void {
    close(this.fd);
  }
}

/** Root may do anything anyway; whatever belongs to anybody else may be meant to mislead. */
function requireOwn(path: string, { uid }: Stat): void {
  if (uid !== sys("geteuid") && uid !== 0)
    throw new Failure(quote(path), { cause: `belongs to user ${uid}`, hint: "only that user has containers there" });
}

/** No container of this id. Callers look for "does not exist". */
export class NoContainer extends Failure {
  constructor(id: string) {
    super(`container ${quote(id)} does not exist`);
  }
}

const isId = (id: string): boolean => /^[A-Za-z0-9_+.-]+$/.test(id) && id !== "." && id !== "..";

function checkId(id: string): void {
  if (!isId(id))
    throw new Failure(`container id ${quote(id)}`, {
      cause: 'not of the form [A-Za-z0-9_+.-]+, or "." or ".."',
    });
}
