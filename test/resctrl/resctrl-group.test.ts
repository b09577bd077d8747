import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { IntelRdt } from "../../src/generated/config.js";
import { C } from "../../src/linux/constants.js";
import { EAGAIN, ENOSPC } from "../../src/linux/errno.js";
import { open, using } from "../../src/linux/file.js";
import { attempt, SyscallError } from "../../src/linux/syscall.js";
import {
  DIRECTORIES,
  enterResctrlGroup,
  makeResctrlGroup,
  planResctrlGroup,
  removeResctrlGroup,
} from "../../src/resctrl/resctrl-group.js";
import { resctrlRoot } from "../../src/resctrl/resctrl-root.js";

const WHOLE = "    L3:0=7ff;1=7ff\n    MB:0= 100;1=100\n";

/** A tree as the kernel makes one, whose directories have their files. */
class Tree {
  readonly root: string;
  /** The directories that were made and not removed, below the root. */
  readonly made: string[] = [];
  /** What makes directories as the kernel does. */
  readonly directories = {
    make: (path: string) => {
      DIRECTORIES.make(path);
      this.made.push(path.slice(this.root.length + 1));
      this.fill(path);
    },
    remove: (path: string) => {
      rmSync(path, { recursive: true, force: true });
      this.made.splice(this.made.indexOf(path.slice(this.root.length + 1)), 1);
    },
  };

  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), "fdrunc-resctrl-"));
    t.after(() => rmSync(this.root, { recursive: true }));
    this.fill(this.root);
    mkdirSync(join(this.root, "info"));
    writeFileSync(join(this.root, "info/last_cmd_status"), "ok\n");
  }

  /** Puts the files there that a group has, its monitoring groups only beside its shares. */
  private fill(path: string): void {
    writeFileSync(join(path, "tasks"), "");
    if (path.includes("mon_groups")) return;
    writeFileSync(join(path, "schemata"), WHOLE);
    mkdirSync(join(path, "mon_groups"));
  }

  /** A class of service that somebody else has made. */
  make(name: string, schemata = WHOLE): void {
    mkdirSync(join(this.root, name));
    this.fill(join(this.root, name));
    writeFileSync(join(this.root, name, "schemata"), schemata);
  }

  read(...names: string[]): string {
    return readFileSync(join(this.root, ...names), "utf8");
  }

  /** Makes container c's group with these parameters. */
  plan(intelRdt: IntelRdt) {
    const group = planResctrlGroup(this.root, "c", intelRdt);
    return { group, make: () => makeResctrlGroup(group, intelRdt, this.directories) };
  }
}

/** Writes past the end of what was there stay in a file, but not in resctrl's: only the beginning counts. */
const first = (text: string): string => text.slice(0, text.indexOf("\n") + 1);

test("without a class, a container has one of its own name, which goes with it", (t) => {
  const tree = new Tree(t);
  const { group, make } = tree.plan({ l3CacheSchema: "L3:0=f;1=f0" });
  assert.equal(group.own, true);
  make();
  assert.deepEqual(tree.made, ["c"]);
  assert.equal(first(tree.read("c/schemata")), "L3:0=f;1=f0\n");
  enterResctrlGroup(group, 4711);
  assert.equal(tree.read("c/tasks"), "4711");
  removeResctrlGroup(group, tree.directories);
  assert.deepEqual(tree.made, []);
});

test("without parameters nothing is written to schemata", (t) => {
  const tree = new Tree(t);
  tree.plan({}).make();
  assert.equal(tree.read("c/schemata"), WHOLE);
  assert.equal(tree.read("schemata"), WHOLE);
});

test("a directory of the container's name that others have made is used, and stays", (t) => {
  const tree = new Tree(t);
  tree.make("c");
  const { group, make } = tree.plan({ memBwSchema: "MB:0=20;1=70" });
  make();
  assert.equal(first(tree.read("c/schemata")), "MB:0=20;1=70\n");
  removeResctrlGroup(group, tree.directories);
  assert.ok(existsSync(join(tree.root, "c/tasks")));
});

test("a named class is made if there are shares for it, and stays when the container goes", (t) => {
  const tree = new Tree(t);
  for (const [closID, shares] of Object.entries({
    one: { l3CacheSchema: "L3:0=f" },
    two: { memBwSchema: "MB:0=20" },
    three: { schemata: ["L2:0=f", "MB:1=30"] },
  })) {
    const { group, make } = tree.plan({ closID, ...shares });
    make();
    removeResctrlGroup(group, tree.directories);
    assert.ok(tree.made.includes(closID));
  }
  assert.ok(tree.read("three/schemata").startsWith("L2:0=f\nMB:1=30\n"));
});

test("who makes a class has resctrl to itself until the class has its shares", (t) => {
  const tree = new Tree(t);
  const intelRdt = { closID: "new", l3CacheSchema: "L3:0=f", enableMonitoring: true };
  const seen: string[] = [];
  const make = (path: string) => {
    tree.directories.make(path);
    seen.push(`${path.slice(tree.root.length + 1)} ${isLocked(tree.root) ? "locked" : "free"}`);
  };
  const makeFor = (id: string, asked: IntelRdt) =>
    makeResctrlGroup(planResctrlGroup(tree.root, id, asked), asked, { ...tree.directories, make });
  makeFor("a", intelRdt);
  assert.equal(isLocked(tree.root), false);
  makeFor("b", intelRdt);
  assert.throws(() => makeFor("c", { ...intelRdt, l3CacheSchema: "L3:0=f0" }), { message: /has L3:0=f$/ });
  assert.equal(isLocked(tree.root), false);
  assert.equal(first(tree.read("new/schemata")), "L3:0=f\n");
  assert.deepEqual(seen, ["new locked", "new/mon_groups/a locked", "new/mon_groups/b locked"]);
});

test("a class that somebody makes at the same time, whatever the lock, keeps its shares", (t) => {
  const tree = new Tree(t);
  const make = (path: string) => {
    tree.make(path.slice(tree.root.length + 1));
    tree.directories.make(path);
  };
  for (const intelRdt of [{ closID: "new", l3CacheSchema: "L3:0=f" }, { l3CacheSchema: "L3:0=f" }]) {
    const name = intelRdt.closID ?? "c";
    assert.throws(
      () => makeResctrlGroup(planResctrlGroup(tree.root, "c", intelRdt), intelRdt, { ...tree.directories, make }),
      { name: "Failure", message: /^linux\.intelRdt\.closID: ".*": mkdir ".*": file exists \(EEXIST\)$/ },
    );
    assert.equal(tree.read(name, "schemata"), WHOLE);
  }
});

/** Whether somebody has locked a directory. */
const isLocked = (path: string): boolean =>
  using(open(path, C.O_RDONLY), (fd) => attempt("flock", fd, C.LOCK_EX | C.LOCK_NB) === -EAGAIN);

test("a named class without shares must be there already, and is only entered", (t) => {
  const tree = new Tree(t);
  assert.throws(() => tree.plan({ closID: "gold" }).make(), {
    name: "Failure",
    message: `linux.intelRdt.closID: "gold": no such class of service in "${tree.root}" (one that is given no schema must be there already)`,
  });
  tree.make("gold");
  const { group, make } = tree.plan({ closID: "gold" });
  make();
  enterResctrlGroup(group, 1);
  assert.equal(tree.read("gold/tasks"), "1");
  assert.equal(tree.read("gold/schemata"), WHOLE);
  assert.deepEqual(tree.made, []);
});

test("a named class that is there must have the shares that are asked for, however they are written", (t) => {
  const tree = new Tree(t);
  tree.make("gold", "    L3:0=00f;1=7f0\n    MB:0=  20;1= 70\n");
  tree.plan({ closID: "gold", l3CacheSchema: "L3:1=7F0;0=f", memBwSchema: "MB:0=20;1=70" }).make();
  tree.make("bronze", "L3:0=00f\n");
  tree.plan({ closID: "bronze", l3CacheSchema: "L3:0=0xf" }).make();
  const refused = (intelRdt: IntelRdt, message: RegExp) =>
    assert.throws(() => tree.plan({ closID: "gold", ...intelRdt }).make(), { name: "Failure", message });
  tree.make("silver", "L3:0=ff;1=7f0\nMB:0=20;1=70\n");
  const silver = (intelRdt: IntelRdt) => ({ ...intelRdt, closID: "silver" });
  refused(
    silver({ l3CacheSchema: "L3:0=f" }),
    /^linux\.intelRdt\.l3CacheSchema: "L3:0=f": ".*\/silver\/schemata" has L3:0=ff$/,
  );
  refused(silver({ memBwSchema: "MB:0=20;1=7" }), /^linux\.intelRdt\.memBwSchema: .* has MB:1=70$/);
  refused(silver({ l3CacheSchema: "L3:2=f" }), /^linux\.intelRdt\.l3CacheSchema: .* has no L3:2$/);
  assert.equal(tree.read("silver/schemata"), "L3:0=ff;1=7f0\nMB:0=20;1=70\n");
});

test("schemata are written last, after the other two, in whatever class there is", (t) => {
  const tree = new Tree(t);
  const { make } = tree.plan({
    l3CacheSchema: "L3:0=1",
    memBwSchema: "MB:0=30",
    schemata: ["L3:0=7ff;1=7ff", "MB:0=10"],
  });
  make();
  assert.ok(tree.read("c/schemata").startsWith("L3:0=7ff;1=7ff\nMB:0=10\n"));
});

test('"/" is the default class, which is never made nor removed', (t) => {
  const tree = new Tree(t);
  const { group, make } = tree.plan({ closID: "/", enableMonitoring: true });
  make();
  enterResctrlGroup(group, 12);
  assert.equal(tree.read("tasks"), "12");
  assert.equal(tree.read("mon_groups/c/tasks"), "12");
  removeResctrlGroup(group, tree.directories);
  assert.deepEqual(tree.made, []);
  assert.deepEqual(readdirSync(tree.root).sort(), ["info", "mon_groups", "schemata", "tasks"]);
});

test("a monitoring group is made in the class, and goes with the container", (t) => {
  const tree = new Tree(t);
  tree.make("gold");
  for (const intelRdt of [{ enableMonitoring: true }, { enableMonitoring: true, closID: "gold" }]) {
    const { group, make } = tree.plan(intelRdt);
    make();
    enterResctrlGroup(group, 34);
    const directory = intelRdt.closID ?? "c";
    assert.equal(tree.read(directory, "tasks"), "34");
    assert.equal(tree.read(directory, "mon_groups/c/tasks"), "34");
    removeResctrlGroup(group, tree.directories);
    assert.deepEqual(tree.made, []);
  }
});

test("what fails leaves nothing that was not there before, and tells what resctrl says", (t) => {
  const tree = new Tree(t);
  writeFileSync(join(tree.root, "info/last_cmd_status"), "No more RMIDs\n");
  const full = (path: string) => {
    if (path.includes("mon_groups")) throw new SyscallError("mkdirat", ENOSPC, "mkdir");
    tree.directories.make(path);
  };
  const group = planResctrlGroup(tree.root, "c", { enableMonitoring: true });
  assert.throws(() => makeResctrlGroup(group, { enableMonitoring: true }, { ...tree.directories, make: full }), {
    message: /^linux\.intelRdt\.enableMonitoring: ".*": mkdir: no space left on device \(ENOSPC\): No more RMIDs$/,
  });
  assert.deepEqual(tree.made, []);
  mkdirSync(join(tree.root, "mon_groups/c"));
  assert.throws(() => tree.plan({ closID: "/", enableMonitoring: true }).make(), {
    message: `linux.intelRdt.enableMonitoring: "${tree.root}/mon_groups/c": mkdir "${tree.root}/mon_groups/c": file exists (EEXIST): No more RMIDs`,
  });
  const named = { closID: "new", l3CacheSchema: "L3:9=f" };
  assert.throws(() => makeResctrlGroup(planResctrlGroup(tree.root, "c", named), named, DIRECTORIES), {
    message: /^linux\.intelRdt\.l3CacheSchema: "L3:9=f": open ".*\/new\/schemata": .*\(ENOENT\): No more RMIDs$/,
  });
  assert.equal(existsSync(join(tree.root, "new")), false);
});

test("the file system is found by its type, wherever it is mounted", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-resctrl-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "mountinfo");
  const line = (mountPoint: string, type: string) => `30 20 0:5 / ${mountPoint} rw shared:1 - ${type} ${type} rw\n`;
  writeFileSync(file, line("/sys", "sysfs") + line("/a\\040place", "resctrl"));
  assert.equal(resctrlRoot(file), "/a place");
  writeFileSync(file, line("/sys/fs/resctrl", "tmpfs"));
  assert.throws(() => resctrlRoot(file), { message: /^linux\.intelRdt: no resctrl file system is mounted \(/ });
});
