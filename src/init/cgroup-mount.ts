import { hasNamespace } from "../config/rules/namespaces.js";
import type { Config, Mount } from "../generated/config.js";
import { quote } from "../linux/file.js";
import { AT_FDCWD, type Builder, flags, NO_PATH, slot, text } from "./builder.js";
import { createFileSystem } from "./create-file-system.js";
import type { Facts } from "./facts.js";
import { mountDestination } from "./mount-destination.js";
import { type Attributes, parseMountOptions } from "./mount-options.js";
import { attach, changeAttributes, openDirectory, setAttributes, spread } from "./target.js";

/**
 * Compiles a mount of type cgroup: the container's part of the host's hierarchies. `from` is its JSON path, `place` where
 * its destination leads, if there are links in it. Throws Failure.
 */
export function compileCgroupMount(
  b: Builder,
  mount: Mount,
  { from, place }: { readonly from: string; readonly place: string | undefined },
  config: Config,
  facts: Facts,
): void {
  const { destination } = mount;
  const { cgroup, userNamespace } = facts;
  const { version, hierarchies } = cgroup;
  const options = parseMountOptions(mount.options);
  const path = mountDestination(mount, from, place).join("/");
  const bound = !hasNamespace(config, "cgroup");
  const says = `mount cgroup on ${quote(destination)}`;
  b.about(says, from);
  // The paths are the container's own: kept apart, since all else is the same for many.
  if (bound) for (const { directory, path } of hierarchies) b.store(text(path), pathOf(directory));
  if (version === 2 && hierarchies.length > 0) {
    const { own } = hierarchies[0];
    b.part(mountUnified, { says, path, own, bound, data: options.data }, from);
  } else {
    b.part(mountHierarchies, { says, path }, from);
    for (const { directory, options: controllers, own } of hierarchies)
      b.part(mountHierarchy, { says, directory, controllers, own, bound }, from);
  }
  b.about(says, from);
  const kept = hierarchies.every(({ own }) => own) ? options.own : withoutWriting(options.own);
  changeAttributes(b, "cgroups", kept, { recursive: true, locked: userNamespace });
  spread(b, options, "cgroups");
  b.done("cgroups");
}

/** What is not the container's own stays read-only. */
function withoutWriting({ set, clear }: Attributes): Attributes {
  return { set, clear: new Set([...clear].filter((name) => name !== "MOUNT_ATTR_RDONLY")) };
}

/** How a container gets to see its part of a hierarchy. */
interface View {
  readonly says: string;
  /** Whether the part is its own. What is not it may look at only. */
  readonly own: boolean;
  /** Whether its cgroup is bound there, of the path that a slot points to; else it is that of its namespace. */
  readonly bound: boolean;
}

/** The slot that points to the path of the container's cgroup in a hierarchy. */
const pathOf = (directory: string): string => `cgroup:${directory || "unified"}`;

/** Mounts cgroups v2, as slot `cgroups`. */
function mountUnified(
  b: Builder,
  { says, path, own, bound, data }: View & { readonly path: string; readonly data: readonly string[] },
): void {
  b.about(says);
  openDirectory(b, path.split("/"));
  if (bound) bindCgroup(b, "", "cgroups");
  else createFileSystem(b, "cgroup2", "cgroup", data, [], "cgroups");
  if (!own) setAttributes(b, "cgroups", { set: ["MOUNT_ATTR_RDONLY"] });
  attach(b, "cgroups", "target");
  b.done("target");
}

/** Mounts the file system that the hierarchies of cgroups v1 come to lie in, as slot `cgroups`. */
function mountHierarchies(b: Builder, { says, path }: { readonly says: string; readonly path: string }): void {
  b.about(says);
  openDirectory(b, path.split("/"));
  createFileSystem(b, "tmpfs", "tmpfs", ["mode=755"], [], "cgroups");
  attach(b, "cgroups", "target");
  b.done("target");
}

/** One of the hierarchies of cgroups v1: the name of its directory, and what it is mounted with. */
interface Hierarchy extends View {
  readonly directory: string;
  readonly controllers: readonly string[];
}

function mountHierarchy(b: Builder, { says, directory, controllers, own, bound }: Hierarchy): void {
  b.about(says);
  b.call("mkdirat", [slot("cgroups"), text(directory), 0o755]);
  if (bound) bindCgroup(b, directory, "mount");
  else {
    const named = controllers.some((name) => name.startsWith("name="));
    createFileSystem(b, "cgroup", "cgroup", named ? ["none", ...controllers] : controllers, [], "mount");
  }
  if (!own) setAttributes(b, "mount", { set: ["MOUNT_ATTR_RDONLY"] });
  // In a file system that is just this program's a name leads nowhere else.
  b.call("move_mount", [slot("mount"), NO_PATH, slot("cgroups"), text(directory), flags("MOVE_MOUNT_F_EMPTY_PATH")]);
  b.done("mount");
  // Controllers mounted together are also found by their own names.
  for (const name of controllers)
    if (name !== directory && !name.startsWith("name="))
      b.call("symlinkat", [text(directory), slot("cgroups"), text(name)], { on: { EEXIST: "next" } });
}

function bindCgroup(b: Builder, directory: string, into: string): void {
  b.call("open_tree", [AT_FDCWD, slot(pathOf(directory)), flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC")], { into });
}
