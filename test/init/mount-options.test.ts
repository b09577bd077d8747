import assert from "node:assert/strict";
import { test } from "node:test";
import { mountOption, mountOptionNames, parseMountOptions } from "../../src/init/mount-options.js";

/** config.md of runtime-spec 1.3, "Linux mount options": those that runtimes must, should and may know. */
const SPECIFIED =
  "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec " +
  "noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave " +
  "runbindable rw shared silent slave strictatime suid sync unbindable " +
  "nosymfollow symfollow ratime rdev rdiratime rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid " +
  "rnosymfollow rrelatime rro rrw rstrictatime rsuid rsymfollow idmap ridmap " +
  "mand nomand tmpcopyup rnodev";

test("the options are those of the specification, each once", () => {
  assert.deepEqual(mountOptionNames(), [...new Set(SPECIFIED.split(" "))].sort());
  for (const name of mountOptionNames()) assert.ok(mountOption(name) !== undefined, name);
});

test("what is none of them is the file system's own", () => {
  for (const name of ["size=64k", "newinstance", "rsize=4096", "r", "rr", "", "constructor", "__proto__", "rprivates"])
    assert.equal(mountOption(name), undefined, name);
  assert.deepEqual(parseMountOptions(["size=1k", "toString", "gid=5"]).data, ["size=1k", "toString", "gid=5"]);
});

test("later options win, and recursive ones count apart", () => {
  const { own, recursive, all } = parseMountOptions(["ro", "nosuid", "rro", "rw", "rnoatime", "rstrictatime"]);
  assert.deepEqual([[...own.set], [...own.clear]], [["MOUNT_ATTR_NOSUID"], ["MOUNT_ATTR_RDONLY"]]);
  assert.deepEqual(
    [[...recursive.set], [...recursive.clear]],
    [["MOUNT_ATTR_RDONLY", "MOUNT_ATTR_STRICTATIME"], ["MOUNT_ATTR__ATIME"]],
  );
  assert.deepEqual([...all.set].sort(), ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_STRICTATIME"]);
});

test("options that nothing is changed by are no file system's either", () => {
  assert.deepEqual(parseMountOptions(["defaults", "loud", "noiversion", "silent"]).data, []);
  // These are the kernel's to judge.
  assert.deepEqual(parseMountOptions(["iversion", "mand", "nomand"]).data, ["iversion", "mand", "nomand"]);
});

test("flags of the file system, propagation and words for fdrunc", () => {
  const { data, propagation, keywords } = parseMountOptions([
    "sync",
    "dirsync",
    "rshared",
    "private",
    "rbind",
    "tmpcopyup",
  ]);
  assert.deepEqual(data, ["sync", "dirsync"]);
  assert.deepEqual(propagation, [
    { type: "MS_SHARED", recursive: true },
    { type: "MS_PRIVATE", recursive: false },
  ]);
  assert.deepEqual([...keywords], ["rbind", "tmpcopyup"]);
});
