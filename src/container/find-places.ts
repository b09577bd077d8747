import { isBind } from "../config/rules/is-bind.js";
import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount } from "../generated/config.js";
import { refusesLinks } from "../init/mount-destination.js";
import { makesDevices, type Places } from "../init/places.js";
import { components } from "../init/target.js";
import { cstring, words } from "../linux/bytes.js";
import { C } from "../linux/constants.js";
import { ELOOP, ENOENT } from "../linux/errno.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, keeping, open, quote, readlink, using } from "../linux/file.js";
import { attempt, expecting, SyscallError } from "../linux/syscall.js";

/** As many links as the kernel follows; path_resolution(7). */
const MOST_LINKS = 40;

/**
 * Finds where paths lead that init makes something at: the destinations of mounts, /dev, the directories of devices, the
 * working directory. Links are followed inside the root file system as the mounts before have changed it, also to what is
 * missing: init makes that then, which mkdirat(2) and mknodat(2) do not do through links. Since init looks for these places
 * inside the root again, links that come later lead nowhere else. Throws Failure for links that lead in a circle.
 */
export function findPlaces(config: Config, bundle: string, rootfs: string): Places {
  const places = new Map<string, string>();
  keeping((keep) => {
    const view = new View(keep(open(rootfs, C.O_PATH | C.O_DIRECTORY)));
    config.mounts?.forEach((mount, i) => {
      const path = components(mount.destination);
      const place = refusesLinks(mount) ? undefined : find(path, [], `mounts[${i}].destination`);
      view.mount(place ?? path, mount, bundle);
    });
    if (!hasNamespace(config, "mount")) return;
    find(["dev"], [], "/dev", "root.path");
    if (makesDevices(config, places))
      config.linux?.devices?.forEach(({ path }, i) => {
        const parts = components(path);
        find(parts.slice(0, -1), parts.slice(-1), `linux.devices[${i}].path`);
      });
    find(components(config.process?.cwd ?? "/"), [], "process.cwd");

    /** Finds where a path leads, and notes that with what comes behind. `from` is the path's place in the config. */
    function find(path: readonly string[], behind: readonly string[], key: string, from = key): string[] | undefined {
      const place = path.length === 0 ? undefined : view.behindLinks(path, from);
      if (place !== undefined) places.set(key, `/${[...place, ...behind].join("/")}`);
      return place;
    }
  });
  return places;
}

/** A root file system as mounts will have changed it. Paths are components below the root. */
class View {
  /** What is mounted, by path: the tree that is shown there, or undefined for a file system of its own. */
  private readonly mounts = new Map<string, { order: number; shown: string | undefined }>();
  private order = 0;

  constructor(private readonly root: Fd) {}

  mount(path: readonly string[], mount: Mount, bundle: string): void {
    const { source = "", options = [] } = mount;
    // What lies beneath stays to be seen.
    if (options.includes("remount") || options.includes("tmpcopyup")) return;
    const shown = source.startsWith("/") ? source : `${bundle}/${source}`;
    this.mounts.set(path.join("/"), { order: this.order++, shown: isBind(mount) ? shown : undefined });
  }

  /** Where a path leads that has links; undefined of one without. `from` is its place in the config. Throws Failure. */
  behindLinks(path: readonly string[], from: string): string[] | undefined {
    // Usually there are none, which one system call tells.
    if (!this.hasLinks(path)) return undefined;
    const todo = [...path];
    const done: string[] = [];
    let links = 0;
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      if (name === "..") done.pop();
      if (name === "" || name === "." || name === "..") continue;
      done.push(name);
      const target = this.linkAt(done);
      if (target === undefined) continue;
      // No text in a program, so it could not be looked at where it leads.
      if (target.includes("\ufffd"))
        throw new Failure(from, { cause: `the link ${quote(`/${done.join("/")}`)} leads to a name that is not UTF-8` });
      if (++links > MOST_LINKS)
        throw new Failure(from, { cause: new SyscallError("openat2", ELOOP, quote(`/${path.join("/")}`)) });
      done.splice(target.startsWith("/") ? 0 : -1);
      todo.unshift(...target.split("/"));
    }
    return done;
  }

  private hasLinks(path: readonly string[]): boolean {
    const fd = this.find(path, C.O_PATH);
    if (fd >= 0) close(fd);
    return fd === -ELOOP;
  }

  /** What the link says that a path without any other links is. */
  private linkAt(path: readonly string[]): string | undefined {
    const fd = this.find(path, C.O_PATH | C.O_NOFOLLOW);
    // Of what is no link readlinkat(2) says ENOENT.
    return fd < 0 ? undefined : expecting([ENOENT], undefined, () => using(fd, (link) => readlink("", link)));
  }

  /** Opens a path that has no links. Returns a descriptor or a negated errno. openat2(2) */
  private find(path: readonly string[], flags: number): number {
    let over: { order: number; shown: string | undefined; below: number } | undefined;
    for (let below = 1; this.mounts.size > 0 && below <= path.length; below++) {
      const mount = this.mounts.get(path.slice(0, below).join("/"));
      if (mount !== undefined && mount.order > (over?.order ?? -1)) over = { ...mount, below };
    }
    if (over === undefined) return openLiteral(this.root, path, flags);
    // A mount point is no link, and what a new file system holds is not known.
    if (over.shown === undefined || over.below === path.length) return -ENOENT;
    const tree = attempt("openat", C.AT_FDCWD, cstring(over.shown), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC);
    return tree < 0 ? tree : using(tree, (fd) => openLiteral(fd, path.slice(over.below), flags));
  }
}

function openLiteral(root: Fd, path: readonly string[], flags: number): number {
  const how = words(flags | C.O_CLOEXEC, 0, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS);
  return attempt("openat2", root, cstring(path.join("/") || "."), how, how.length);
}
