import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../folders.js";
import { FEATURES } from "./features.js";
import { COVERAGE, NO_EFFECT, namedBy } from "./table.js";

const names = FEATURES.map(({ name }) => name);

test("each feature has a name of its own", () => {
  assert.equal(new Set(names).size, names.length);
});

test("each feature is exercised by a test, or has no effect by the specification", () => {
  const without = names.filter((name) => namedBy(name).length === 0 && !(name in NO_EFFECT));
  assert.deepEqual(without, []);
});

test("each feature is in the table once", () => {
  const twice = names.filter((name) => namedBy(name).length + (name in NO_EFFECT ? 1 : 0) > 1);
  assert.deepEqual(twice, []);
});

test("the table names features that there are", () => {
  const named = new Set([...names.flatMap(namedBy).map(({ pattern }) => pattern), ...names]);
  const patterns = Object.values(COVERAGE).flatMap((tests) => Object.values(tests).flat());
  assert.deepEqual(
    [...patterns, ...Object.keys(NO_EFFECT)].filter((pattern) => !named.has(pattern)),
    [],
  );
});

test("the table names tests that there are", () => {
  const absent = Object.entries(COVERAGE).flatMap(([file, tests]) => {
    const path = join(ROOT, "test", file);
    if (!existsSync(path)) return [file];
    const titles = titlesIn(readFileSync(path, "utf8"));
    return Object.keys(tests).flatMap((title) => (titles(title) ? [] : [`${file}: ${title}`]));
  });
  assert.deepEqual(absent, []);
});

/**
 * Tells whether a test file's source has a test of that title: as a text, or by a template, for a table of tests. A
 * template's values are texts in the same file; `ordinary`, `withCriu` and the like put words in front of theirs.
 */
function titlesIn(source: string): (title: string) => boolean {
  const literals = [...source.matchAll(/(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`([^`]*)`)/g)].map(
    ([, double, single, template]) => double ?? single ?? template ?? "",
  );
  const texts = new Set(literals);
  const patterns = literals
    .filter((text) => text.includes("${"))
    .map(
      (text) =>
        new RegExp(
          `^${text
            .split(/\$\{[^}]*\}/)
            .map(literal)
            .join("(.+)")}$`,
        ),
    );
  const wrapped = ["", "an ordinary user: ", "beside runc: ", "systemd: "];
  return (title) =>
    wrapped.some((prefix) => title.startsWith(prefix) && texts.has(title.slice(prefix.length))) ||
    patterns.some((pattern) =>
      pattern
        .exec(title)
        ?.slice(1)
        .every((value) => source.includes(value)),
    );
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
