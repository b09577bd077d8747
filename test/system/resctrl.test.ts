import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mountLines, parseMount } from "../../src/linux/mount-info.js";
import { system, TAG } from "./harness.js";

/** Where the host has resctrl, if it has. */
const root = [...mountLines()].map(parseMount).find(({ type }) => type === "resctrl")?.mountPoint;

system("a host without resctrl refuses a class of service before anything is made", (s, t) => {
  if (root !== undefined) return t.skip("needs a host without resctrl");
  s.write((config) => {
    config.linux.intelRdt = { l3CacheSchema: "L3:0=f" };
  });
  for (const command of ["create", "run"])
    assert.match(
      s.fdrunc([command, "c"]).fails(),
      /^linux\.intelRdt: no resctrl file system is mounted \(where CPU and kernel have it, .*\)$/,
    );
  assert.deepEqual(s.leftovers(), []);
});

system("a container is in a class of service and a monitoring group of its own while it is there", (s, t) => {
  if (root === undefined) return t.skip("needs resctrl");
  const id = `${TAG}-rdt`;
  s.write((config) => {
    config.process.args = ["sleep", "1000"];
    config.linux.intelRdt = { enableMonitoring: existsSync(`${root}/mon_groups`) };
  });
  s.create(id).succeeds();
  const pid = String(s.stateOf(id).pid);
  assert.ok(readFileSync(`${root}/${id}/tasks`, "utf8").split("\n").includes(pid));
  s.fdrunc(["delete", "--force", id]).succeeds();
  assert.equal(existsSync(`${root}/${id}`), false);
});
