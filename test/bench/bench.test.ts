import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cgroupHierarchies } from "../../src/cgroup/hierarchy.js";
import { MISSING } from "../system/harness.js";

const BENCH = fileURLToPath(new URL("bench.js", import.meta.url));

/** Runs the bench with nothing on the PATH, so that it finds no peers, and in a directory of its own. */
function bench(t: TestContext, ...args: string[]) {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const refusing = join(directory, "refusing");
  writeFileSync(refusing, '#!/bin/sh\n[ "$1" = --version ] && echo 1.2.3 && exit\necho no such thing >&2\nexit 1\n', {
    mode: 0o755,
  });
  const env = { ...process.env, PATH: "", TMPDIR: directory };
  const { pid, status, stdout, stderr } = spawnSync(process.execPath, [BENCH, "--peer", `other=${refusing}`, ...args], {
    encoding: "utf8",
    env,
  });
  assert.deepEqual(readdirSync(directory), ["refusing"]);
  for (const { mountPoint } of cgroupHierarchies()) assert.ok(!existsSync(join(mountPoint, `fdrunc-bench-${pid}`)));
  return { status, stdout, stderr };
}

test("each case gives numbers, and a runtime that cannot do it a reason", { skip: MISSING }, (t) => {
  const { status, stdout, stderr } = bench(t, "--runs", "2", "--json");
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const { runtimes, cases } = JSON.parse(stdout);
  assert.deepEqual(
    runtimes.map(({ name }: { name: string }) => name),
    ["fdrunc", "other"],
  );
  const names = cases.map(({ name }: { name: string }) => name);
  assert.deepEqual(names, [
    "run",
    "run-docker",
    "run-podman",
    "lifecycle",
    "exec",
    "state",
    "cold",
    "init",
    "memory",
    "pids",
  ]);
  for (const { name, figures } of cases) {
    for (const { title, results } of figures) {
      const { median, min, max, low, high, count } = results.fdrunc;
      assert.ok(0 < min && min <= low && low <= median && median <= high && high <= max, `${name}: ${title}`);
      assert.equal(count, { init: 3, memory: 3, pids: 3 }[name as string] ?? 2);
      assert.deepEqual(results.other, { refusal: "no such thing" });
    }
  }
});

test("the table has a dash and the reason below for what a runtime cannot do", { skip: MISSING }, (t) => {
  const { status, stdout } = bench(t, "--runs", "1", "--case", "pids");
  assert.equal(status, 0);
  const lines = stdout.split("\n");
  assert.match(lines[0], /^\d{4}-\d\d-\d\d, \d+ × .*, Linux .*; medians .* of 1 runs in turn:$/);
  assert.match(lines[2], /^\| +\| fdrunc \d+\.\d+\.\d+ \| other 1\.2\.3 \| fdrunc : other \|$/);
  assert.match(lines[3], /^\| -+ \| -+: \| -+: \| -+: \|$/);
  assert.match(lines[4], /^\| smallest pids limit to run \/bin\/true under \| +1 \| +– \| +– \|$/);
  assert.equal(lines[6], "– other 1.2.3, smallest pids limit to run /bin/true under: no such thing");
});

test("beside more and more containers each command gives numbers, a table and a drawing", { skip: MISSING }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fdrunc-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const drawing = join(directory, "scale.svg");
  const env = { ...process.env, PATH: "" };
  const run = (...args: string[]) => spawnSync(process.execPath, [BENCH, ...args], { encoding: "utf8", env });
  const { status, stdout, stderr } = run("--scale", "1,3", "--plot", drawing);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const rows = stdout.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const command of ["create", "state", "list", "kill", "delete"])
    for (const count of [1, 3]) {
      const row = rows.find(([, title]) => title === `${command} beside ${count} (ms)`);
      assert.match(row?.[2] ?? "", /^\d+(\.\d+)? \(/);
    }
  assert.ok(rows.some(([, title]) => title === "created in a second, 16 at once"));
  // A panel for each command, with a curve of two points.
  assert.equal(readFileSync(drawing, "utf8").match(/<path d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+" fill="none"/g)?.length, 5);
  assert.equal(run("--scale", "3,1").stderr, 'bench: --scale "3,1": not rising numbers of containers\n');
  assert.equal(run("--plot", drawing).stderr, "bench: --plot: only together with --scale\n");
});

test("wrong options are told in one line, and the help tells how crun comes to run", { skip: MISSING }, (t) => {
  for (const [args, told] of [
    [["--case", "no"], 'bench: --case "no": unknown (see --help)\n'],
    [["--bundles"], "bench: skopeo is not installed\n"],
    [["--runs", "0"], 'bench: --runs "0": not a number of runs\n'],
    [["--peer", "x"], 'bench: --peer "x": not of the form NAME=PATH\n'],
    [["--peer", "x=/absent"], 'bench: --peer "x=/absent": "/absent" is not an executable file\n'],
  ] as const)
    assert.deepEqual(bench(t, ...args), { status: 1, stdout: "", stderr: told });
  assert.match(bench(t, "--help").stdout, /mount -t cgroup -o hugetlb/);
});
