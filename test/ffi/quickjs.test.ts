import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { ffi } from "../../src/ffi/node.js";
import { ROOT } from "../folders.js";
import { observe } from "./observe.js";

interface Target {
  emulator: string;
}
const { HERE, TARGETS }: { HERE: string; TARGETS: Record<string, Target> } = await import(
  join(ROOT, "src/build/engine.mjs")
);
const { bundleForQuickjs } = await import(join(ROOT, "src/build/bundle.mjs"));
const { makeImage } = await import(join(ROOT, "src/build/image.mjs"));
const { observeHeap } = await import(join(ROOT, "src/build/observe.mjs"));

const directory = mkdtempSync(join(tmpdir(), "fdrunc-quickjs-"));
after(() => rmSync(directory, { recursive: true }));
const script = join(directory, "program.js");
await bundleForQuickjs(join(ROOT, "test/ffi/program.ts"), script);
/** What is known of the heap: nothing, and what was observed on this machine. */
const [nothing, observed] = ["nothing", "observed"].map((name) => join(directory, name));
writeFileSync(nothing, "");
const engineHere = join(ROOT, ".cache/quickjs", HERE, "engine");
const couldObserve = observeHeap(engineHere, script, [["loaded"], ["argv", "a"]], observed);

for (const [architecture, { emulator }] of Object.entries(TARGETS)) {
  const engine = join(ROOT, ".cache/quickjs", architecture, "engine");
  const native = architecture === HERE;
  const skip = !existsSync(engine)
    ? `needs the engine for ${architecture}, which npm run build makes`
    : !native && spawnSync(emulator, ["--version"]).error
      ? `needs ${emulator}`
      : false;
  suite(`the QuickJS engine on ${architecture}`, { skip }, () => {
    const program = join(directory, architecture);
    const run = (...args: string[]) => {
      const command = native ? [program, ...args] : [emulator, program, ...args];
      const { status, stdout, stderr } = spawnSync(command[0], command.slice(1), {
        ...{ encoding: "utf8", env: { NAME: "value=é" }, maxBuffer: 1 << 26 },
      });
      return { status, stderr, value: stdout === "" ? undefined : JSON.parse(stdout) };
    };
    if (!skip) makeImage(architecture, engine, script, observed, program);

    test("behaves as Node's driver does", () => {
      assert.deepEqual(run("observe"), { status: 0, stderr: "", value: observe(ffi) });
    });

    test("keeps apart the few blocks that are written to, and those that are read", (t) => {
      if (!couldObserve) return t.skip("needs 16 GiB of address space");
      const READ = 1;
      const uses = [...readFileSync(observed).subarray(40)];
      const read = uses.filter((use) => use === READ).length;
      const written = uses.filter((use) => use > READ).length;
      assert.ok(0 < written && written < uses.length / 10, `${written} of ${uses.length}`);
      assert.ok(0 < read && read < uses.length / 2, `${read} of ${uses.length}`);
    });

    test("needs no observation", () => {
      const plain = join(directory, `${architecture}-plain`);
      makeImage(architecture, engine, script, nothing, plain);
      const { stdout } = spawnSync(native ? plain : emulator, [...(native ? [] : [plain]), "loaded"]);
      assert.deepEqual(JSON.parse(stdout.toString()), ["ééé", [1, 2, 3], "1"]);
    });

    test("keeps what was made while loading", () => {
      assert.deepEqual(run("loaded").value, ["ééé", [1, 2, 3], "1"]);
    });

    test("has the command line and the environment, of whatever bytes", () => {
      assert.deepEqual(run("argv", "", "é", "a b").value, ["", "é", "a b"]);
      assert.deepEqual(run("environ").value, ["NAME=value=é"]);
      const command = native ? program : `${emulator} ${program}`;
      const { stdout } = spawnSync("sh", ["-c", `exec ${command} argv "$(printf 'a\\377\\303')"`], {
        encoding: "utf8",
      });
      assert.deepEqual(JSON.parse(stdout), ["a\ufffd\ufffd"]);
    });

    test("keeps memory apart, beyond the heap's first arena too", () => {
      assert.deepEqual(run("memory"), { status: 0, stderr: "", value: 0 });
    });

    test("compiles regular expressions at run time", () => {
      assert.equal(run("regexp").value, "aa");
    });

    test("ends with the status asked for", () => {
      assert.deepEqual(run("exit"), { status: 7, stderr: "", value: undefined });
    });

    test("tells of an exception that nobody caught", () => {
      const { status, stderr } = run("throw");
      assert.equal(status, 1);
      assert.match(stderr, /^RangeError: thrown on purpose\n +at throw\n/);
    });

    test("refuses native calls, and says what is wrong, while loading", () => {
      const wrong: [string, RegExp][] = [
        ["host.syscall(39)", /nothing native may be called while the program is loaded/],
        ["host.exit(0)", /nothing native may be called while the program is loaded/],
        ["let let", /SyntaxError/],
      ];
      for (const [source, message] of wrong) {
        const file = join(directory, "wrong.js");
        writeFileSync(file, source);
        assert.throws(() => makeImage(architecture, engine, file, nothing, join(directory, "wrong")), message);
      }
    });
  });
}

test("says where the heap cannot be observed for want of address space", (t) => {
  const [limited, output] = ["limited", "unobserved"].map((name) => join(directory, name));
  writeFileSync(limited, `#!/bin/sh\nulimit -v 4194304\nexec ${engineHere} "$@"\n`, { mode: 0o755 });
  const { mock } = t.mock.method(console, "log", () => {});
  assert.equal(observeHeap(limited, script, [["loaded"]], output), false);
  assert.match(mock.calls[0].arguments[0], /^what commands use of the heap is not kept apart, .*vm\.overcommit_memory/);
  assert.equal(readFileSync(output, "utf8"), "");
});
