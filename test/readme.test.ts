import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Command } from "commander";
import { COMMANDS as FDNET } from "../src/commands/fdnet/table.js";
import { COMMANDS as FDRUNC } from "../src/commands/table.js";
import { ROOT } from "./folders.js";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** What the README puts in backquotes under a heading. */
function quoted(heading: string): string[] {
  const start = README.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, heading);
  const end = README.indexOf(`\n${heading.replace(/ .*/, "")} `, start + 1);
  return [...README.slice(start, end).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
}

for (const [name, heading, commands] of [
  ["fdrunc", "## Commands", FDRUNC],
  ["fdnet", "### fdnet", FDNET],
] as const) {
  test(`the README's table has every command and every option of ${name}`, () => {
    const told = quoted(heading);
    const program = new Command();
    for (const define of commands) define(program);
    for (const command of program.commands) {
      assert.ok(
        told.some((text) => text.split(" ")[0] === command.name()),
        command.name(),
      );
      for (const { long, hidden } of command.options)
        assert.ok(hidden || told.includes(long as string), `${command.name()} ${long}`);
    }
  });
}

test("the source files that the README leads through are there", () => {
  const files = quoted("## For who carries on the work").filter((text) => /^[\w-]+\/[\w/-]+\.ts$/.test(text));
  assert.ok(files.length > 10);
  assert.deepEqual(
    files.filter((file) => !existsSync(join(ROOT, "src", file))),
    [],
  );
});
