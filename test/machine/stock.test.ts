import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Builder, slot, text } from "../../src/init/builder.js";
import { isKept, keepParts } from "../../src/init/kept-parts.js";
import { elf, stockParts } from "../../src/machine/elf.js";
import { type Program, REPORT_SIZE } from "../../src/machine/program.js";

const directory = mkdtempSync(join(tmpdir(), "fdrunc-stock-"));
after(() => rmSync(directory, { recursive: true }));

/** Writes a text, and then what a slot that others fill points to; jumps over a step. */
function say(b: Builder, what: string): void {
  b.about(`say ${what}`);
  b.call("write", [1, text(what), what.length]);
  const end = b.label();
  b.jump(end);
  b.fail("EIO");
  b.bind(end);
  b.call("write", [1, slot("other"), 1]);
}

function close(b: Builder, fd: number): void {
  b.about(`close ${fd}`);
  b.call("close", [fd]);
}

/** A program of parts, with steps of its own between them; `broken` closes what is not open. */
function program(words: readonly string[], broken: boolean): Program {
  const b = new Builder();
  b.about("set the slot");
  b.store(text("!"), "other");
  for (const word of words) b.part(say, word);
  b.about("get the process id");
  b.call("getpid", []);
  if (broken) b.part(close, 77, "from.here");
  b.part(say, "end");
  return b.finish();
}

for (const arch of ["x86_64", "aarch64"] as const)
  test(`${arch}: parts from stock run as others do, and fail by their numbers`, (t) => {
    const here = process.arch === (arch === "x86_64" ? "x64" : "arm64");
    const emulator = `/usr/bin/qemu-${arch}`;
    if (!here && !existsSync(emulator)) return t.skip(`needs qemu-${arch}`);
    const run = (made: Program, more: Record<string, number> = {}) => {
      const file = join(directory, `${arch}-${Math.random()}`);
      writeFileSync(file, elf(made, arch, { report: 1, context: -1, ...more }, 100), { mode: 0o755 });
      const command = here ? [file] : [emulator, file];
      return spawnSync(command[0], command.slice(1));
    };
    const before = run(program(["one", "two"], false)).stdout.toString();
    assert.equal(before, "one!two!end!");
    stockParts(
      keepParts(() => program(["one", "end"], true)),
      arch,
      isKept,
    );
    const mixed = program(["one", "two", "one"], false);
    assert.deepEqual(
      mixed.parts.map(({ part }) => isKept(part)),
      [false, true, false, true, false, true],
    );
    assert.equal(run(mixed).stdout.toString(), "one!two!one!end!");
    // Memory that only the program has comes behind the stock's.
    assert.equal(run(mixed, { another: 5 }).stdout.toString(), "one!two!one!end!");
    const { status, stdout } = run(program(["one", "two"], true));
    assert.equal(status, 1);
    const report = stdout.subarray(-REPORT_SIZE);
    const EBADF = 9;
    // One step, twice four, one, and then the one that fails; numbered from 100.
    assert.deepEqual([report.readUInt32LE(0), report.readUInt32LE(4)], [100 + 1 + 8 + 1, EBADF]);
  });
