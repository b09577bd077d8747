import assert from "node:assert/strict";
import { test } from "node:test";
import { steps } from "./steps.js";

const ABOUT = /time namespace/;

test("a new time namespace: its clocks are set before init enters it", () => {
  const timeOffsets = { boottime: { nanosecs: 4 }, monotonic: { secs: -(2n ** 62n) } };
  assert.deepEqual(steps(ABOUT, { linux: { namespaces: [{ type: "mount" }, { type: "time" }], timeOffsets } }), [
    "unshare(CLONE_NEWTIME)",
    'openat(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY|O_CLOEXEC, 0) = %offsets',
    "write(%offsets, <monotonic -4611686018427387904 0, boottime 0 4>, 46)",
    "close(%offsets)   [error: go on]",
    'openat(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY|O_CLOEXEC, 0) = %namespace:time',
    "setns(%namespace:time, CLONE_NEWTIME)",
    "close(%namespace:time)   [error: go on]",
  ]);
});

test("init itself joins a time namespace, even where a process between joins the others", () => {
  const namespaces = (["user", "network", "time"] as const).map((type) => ({ type, path: `/${type}` }));
  assert.deepEqual(steps(/join/, { linux: { namespaces: [{ type: "mount" }, ...namespaces] } }).slice(-5), [
    "setns(%namespace:network, CLONE_NEWNET)",
    "setns(%namespace:user, CLONE_NEWUSER)",
    "exit_group(0)",
    "setns(%namespace:time, CLONE_NEWTIME)",
    "close(%namespace:time)   [error: go on]",
  ]);
});
