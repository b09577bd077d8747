import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.js";
import { loadConfig, parseChecked, parseDocument } from "../../src/config/load.js";
import { checkProcess } from "../../src/config/rules/process.js";
import { validateProcess } from "../../src/generated/validate-config.js";
import { shared } from "../folders.js";

/** Writes a file that goes when the test ends. Returns its path. */
function fileOf(t: TestContext, text: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "fdrunc-config-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "config.json");
  writeFileSync(path, text);
  return path;
}

test("a configuration arrives as it is written", (t) => {
  const config = defaultConfig();
  assert.deepEqual(loadConfig(fileOf(t, JSON.stringify(config, null, "\t"))), config);
});

test("64-bit integers arrive unchanged", (t) => {
  const text = `{
    "ociVersion": "1.3.0",
    "root": { "path": "rootfs" },
    "process": {
      "cwd": "/", "args": ["a"],
      "rlimits": [{ "type": "RLIMIT_CORE", "soft": 9007199254740993, "hard": 18446744073709551615 }]
    },
    "linux": {
      "resources": { "memory": { "limit": -1, "swap": 9223372036854775807 } },
      "seccomp": {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["a"], "action": "SCMP_ACT_LOG", "args": [
          { "index": 0, "value": 18446744073709551614, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ" }] }]
      }
    }
  }`;
  const { process, linux } = loadConfig(fileOf(t, text));
  assert.deepEqual(process?.rlimits, [{ type: "RLIMIT_CORE", soft: 9007199254740993n, hard: 2n ** 64n - 1n }]);
  assert.deepEqual(linux?.resources?.memory, { limit: -1, swap: 2n ** 63n - 1n });
  assert.equal(linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value, 2n ** 64n - 2n);
});

test("mistakes are told with the file and their place", (t) => {
  const good = JSON.stringify(defaultConfig());
  const cases: [text: string, message: string][] = [
    ["", "line 1, column 1: unexpected end of input, the text is empty"],
    ['{\n\n  "a": ', "line 3, column 8: unexpected end of input, expected a value"],
    ["\ufeff{}", "line 1, column 1: unexpected byte order mark"],
    ["[]", "must be an object, got an array of 0"],
    [good.replace('"cwd":"/"', '"cwd":"foo"'), 'process.cwd: must be an absolute path, got "foo"'],
    [good.replace('"cwd":"/"', '"cwd":1'), "process.cwd: must be a string, got 1"],
    [
      good.replace('"soft":1024', '"soft":18446744073709551616'),
      "process.rlimits[0].soft: must be an integer from 0 to 18446744073709551615, got 18446744073709551616",
    ],
    [
      good.replace('"1.0.2-dev"', '"9.9.9x"'),
      'ociVersion: must be a version of SemVer 2.0.0 such as "1.3.0", got "9.9.9x"',
    ],
    [good.replace('"sh"', '"sh","a\\u0000b"'), 'process.args[1]: must not contain a NUL character, got "a\\u0000b"'],
    [
      good.replace('"sh"', '"sh","\\\\u0000"').replace('"cwd":"/"', '"cwd":""'),
      'process.cwd: must be an absolute path, got ""',
    ],
  ];
  for (const [text, message] of cases) {
    const path = fileOf(t, text);
    assert.throws(() => loadConfig(path), { name: "Failure", message: `"${path}": ${message}` });
  }
});

test("a file that cannot be read is told by its path", (t) => {
  const path = join(fileOf(t, ""), "..", "absent.json");
  assert.throws(() => loadConfig(path), { message: `open "${path}": no such file or directory (ENOENT)` });
});

test("configurations as engines write them load", (t) => {
  const folder = shared("engine-configs");
  if (folder === undefined) return t.skip("needs the configurations in ../shared/engine-configs");
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  assert.ok(files.length > 5);
  for (const file of files) {
    const path = join(folder, file);
    if (file.endsWith("-process.json"))
      parseDocument(path, readFileSync(path, "utf8"), validateProcess, (value) => checkProcess(value, ""));
    else loadConfig(path);
  }
});

test("a config that was accepted is read again with all digits of its integers, wherever they stand", () => {
  for (let before = 0; before < 40; before++)
    for (const digits of ["9007199254740993", "18446744073709551615", "123456789012345"]) {
      const text = `{"hostname":"${"x".repeat(before)}","linux":{"resources":{"memory":{"limit":${digits}}}}}`;
      assert.equal(String(parseChecked(text).linux?.resources?.memory?.limit), digits);
    }
});
