import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mountLines, parseMount } from "../../src/linux/mount-info.js";

test("a line is taken apart, with its optional fields and its escapes", () => {
  assert.deepEqual(
    parseMount(
      "36 35 98:0 /part\\040one /mnt\\011two rw,noatime shared:1 master:2 - ext3 /dev/ro\\134ot rw,errors=continue",
    ),
    {
      id: 36,
      parent: 35,
      device: "98:0",
      root: "/part one",
      mountPoint: "/mnt\ttwo",
      options: ["rw", "noatime"],
      propagation: ["shared:1", "master:2"],
      type: "ext3",
      source: "/dev/ro\\ot",
      superOptions: ["rw", "errors=continue"],
    },
  );
});

test("a private mount has no optional fields", () => {
  const mount = parseMount("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755");
  assert.deepEqual([mount.propagation, mount.type, mount.mountPoint], [[], "tmpfs", "/sys/fs/cgroup"]);
});

test("lines longer than a read, and letters cut in two by one, come whole", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const lines = ["first", `${"x".repeat(4090)}${"é".repeat(3000)}`, "", "last"];
  writeFileSync(join(directory, "mountinfo"), `${lines.join("\n")}\n`);
  assert.deepEqual([...mountLines(join(directory, "mountinfo"))], lines);
});

test("this process's own mounts have one root", () => {
  const mounts = [...mountLines()].map(parseMount);
  assert.equal(mounts.filter(({ mountPoint }) => mountPoint === "/").length, 1);
});
