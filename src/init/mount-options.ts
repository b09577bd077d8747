/**
 * What each mount option of the specification means (config.md, "Linux mount options"): attributes of the mount that
 * it sets or clears (mount_setattr(2)), for the mount alone or for all below it; a flag of the file system's
 * superblock (fsconfig(2)); a propagation type; or a word for fdrunc itself.
 */
export interface MountOption {
  readonly set?: string;
  readonly clear?: string;
  readonly recursive?: true;
  /** A superblock flag to set. */
  readonly flag?: string;
  readonly propagation?: string;
  readonly keyword?: "bind" | "rbind" | "remount" | "tmpcopyup" | "idmap" | "ridmap";
}

const ATIME = "MOUNT_ATTR__ATIME";

/** Options that set or clear attributes; each also has a recursive form with an "r" in front. */
const ATTRIBUTES: Record<string, MountOption> = {
  ro: { set: "MOUNT_ATTR_RDONLY" },
  rw: { clear: "MOUNT_ATTR_RDONLY" },
  nosuid: { set: "MOUNT_ATTR_NOSUID" },
  suid: { clear: "MOUNT_ATTR_NOSUID" },
  nodev: { set: "MOUNT_ATTR_NODEV" },
  dev: { clear: "MOUNT_ATTR_NODEV" },
  noexec: { set: "MOUNT_ATTR_NOEXEC" },
  exec: { clear: "MOUNT_ATTR_NOEXEC" },
  nosymfollow: { set: "MOUNT_ATTR_NOSYMFOLLOW" },
  symfollow: { clear: "MOUNT_ATTR_NOSYMFOLLOW" },
  nodiratime: { set: "MOUNT_ATTR_NODIRATIME" },
  diratime: { clear: "MOUNT_ATTR_NODIRATIME" },
  noatime: { set: "MOUNT_ATTR_NOATIME", clear: ATIME },
  atime: { clear: ATIME },
  relatime: { set: "MOUNT_ATTR_RELATIME", clear: ATIME },
  norelatime: { clear: ATIME },
  strictatime: { set: "MOUNT_ATTR_STRICTATIME", clear: ATIME },
  nostrictatime: { clear: ATIME },
};

const PROPAGATION: Record<string, string> = {
  private: "MS_PRIVATE",
  shared: "MS_SHARED",
  slave: "MS_SLAVE",
  unbindable: "MS_UNBINDABLE",
};

const OTHERS: Record<string, MountOption> = {
  defaults: {},
  // Those that the mount API no longer has a word for.
  loud: {},
  noiversion: {},
  silent: {},
  async: { flag: "async" },
  nolazytime: { flag: "nolazytime" },
  nomand: { flag: "nomand" },
  dirsync: { flag: "dirsync" },
  iversion: { flag: "iversion" },
  lazytime: { flag: "lazytime" },
  mand: { flag: "mand" },
  sync: { flag: "sync" },
  bind: { keyword: "bind" },
  rbind: { keyword: "rbind" },
  remount: { keyword: "remount" },
  tmpcopyup: { keyword: "tmpcopyup" },
  idmap: { keyword: "idmap" },
  ridmap: { keyword: "ridmap" },
};

/** The meaning of an option, or undefined where it is the file system's own ("size=64k"). */
export function mountOption(name: string): MountOption | undefined {
  const known = plainOption(name) ?? own(OTHERS, name);
  if (known !== undefined || !name.startsWith("r")) return known;
  const plain = plainOption(name.slice(1));
  return plain && { ...plain, recursive: true };
}

/** An option that also has a recursive form. */
function plainOption(name: string): MountOption | undefined {
  const propagation = own(PROPAGATION, name);
  return propagation === undefined ? own(ATTRIBUTES, name) : { propagation };
}

/** A table's own entry: an option may have the name of something that all objects have. */
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** The names of all options, as `features` lists them. */
export function mountOptionNames(): string[] {
  const both = [...Object.keys(ATTRIBUTES), ...Object.keys(PROPAGATION)];
  return [...both, ...both.map((name) => `r${name}`), ...Object.keys(OTHERS)].sort();
}

/** A mount's options, sorted by what they mean. */
export interface MountOptions {
  /** Attributes of the mount alone, and those of all below it too. */
  readonly own: Attributes;
  readonly recursive: Attributes;
  /** Both: what counts for a mount that has nothing below it. */
  readonly all: Attributes;
  readonly propagation: { readonly type: string; readonly recursive: boolean }[];
  readonly keywords: ReadonlySet<string>;
  /** What the file system is configured with: flags, and "key=value" options. */
  readonly data: readonly string[];
}

/** Names of attributes to set and to clear; a later option wins over an earlier one. */
export interface Attributes {
  readonly set: Set<string>;
  readonly clear: Set<string>;
}

/** Sorts a mount's options. */
export function parseMountOptions(options: readonly string[] = []): MountOptions {
  const own: Attributes = { set: new Set(), clear: new Set() };
  const recursive: Attributes = { set: new Set(), clear: new Set() };
  const all: Attributes = { set: new Set(), clear: new Set() };
  const propagation: MountOptions["propagation"] = [];
  const keywords = new Set<string>();
  const data: string[] = [];
  for (const name of options) {
    const option = mountOption(name);
    if (option === undefined) data.push(name);
    else {
      apply(option.recursive ? recursive : own, option);
      apply(all, option);
      if (option.propagation !== undefined)
        propagation.push({ type: option.propagation, recursive: option.recursive === true });
      if (option.keyword !== undefined) keywords.add(option.keyword);
      if (option.flag !== undefined) data.push(option.flag);
    }
  }
  return { own, recursive, all, propagation, keywords, data };
}

const ATIMES = ["MOUNT_ATTR_RELATIME", "MOUNT_ATTR_NOATIME", "MOUNT_ATTR_STRICTATIME"];

function apply({ set, clear }: Attributes, option: MountOption): void {
  if (option.clear !== undefined) {
    for (const name of option.clear === ATIME ? ATIMES : [option.clear]) set.delete(name);
    clear.add(option.clear);
  }
  if (option.set !== undefined) {
    if (option.set !== option.clear) clear.delete(option.set);
    set.add(option.set);
  }
}
