import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupOfUnit, unitOf } from "../../../src/cgroup/systemd/unit.js";

const CASES: [path: string | undefined, name: string, cgroup: string][] = [
  [undefined, "fdrunc-box.scope", "system.slice/fdrunc-box.scope"],
  ["", "fdrunc-box.scope", "system.slice/fdrunc-box.scope"],
  ["::", "box.scope", "system.slice/box.scope"],
  [":docker:123", "docker-123.scope", "system.slice/docker-123.scope"],
  ["machine.slice:libpod:123", "libpod-123.scope", "machine.slice/libpod-123.scope"],
  ["a-b-c.slice:p:n", "p-n.scope", "a.slice/a-b.slice/a-b-c.slice/p-n.scope"],
  ["-.slice:p:n", "p-n.scope", "p-n.scope"],
  ["a.slice::n", "n.scope", "a.slice/n.scope"],
  ["a.slice:p:a-b.slice", "a-b.slice", "a.slice/a-b.slice"],
  ["a.slice:p:x.y", "p-x.y.scope", "a.slice/p-x.y.scope"],
];

for (const [path, name, cgroup] of CASES) {
  test(`the unit of ${JSON.stringify(path)}`, () => {
    const unit = unitOf(path, "box", "system");
    assert.deepEqual([unit.name, cgroupOfUnit(unit)], [name, cgroup]);
  });
}

test("an ordinary user's containers are in user.slice", () => {
  assert.equal(cgroupOfUnit(unitOf(undefined, "box", "user")), "user.slice/fdrunc-box.scope");
});

const WRONG: [path: string | undefined, id: string, message: RegExp][] = [
  ["/a/b", "box", /^linux\.cgroupsPath: "\/a\/b": is not of the form "slice:prefix:name"/],
  ["a:b", "box", /is not of the form/],
  ["a.slice:b:c:d", "box", /is not of the form/],
  ["a:b:c", "box", /"a" is not the name of a slice$/],
  [".slice:b:c", "box", /"\.slice" is not the name of a slice$/],
  ["a--b.slice:b:c", "box", /"a--b\.slice" is not the name of a slice$/],
  ["-a.slice:b:c", "box", /"-a\.slice" is not the name of a slice$/],
  ["a/../b.slice:b:c", "box", /is not the name of a systemd unit$/],
  ["a.slice:b/..:c", "box", /"b\/\.\.-c\.scope" is not the name of a systemd unit$/],
  ["a.slice:b:-.slice", "box", /names the root slice$/],
  [`a.slice:b:${"c".repeat(250)}`, "box", /is not the name of a systemd unit$/],
  [undefined, "a+b", /"fdrunc-a\+b\.scope" is not the name of a systemd unit$/],
];

for (const [path, id, message] of WRONG) {
  test(`${JSON.stringify(path)} of ${id} names no unit`, () => {
    assert.throws(() => unitOf(path, id, "system"), { message });
  });
}
