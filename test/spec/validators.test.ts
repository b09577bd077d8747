import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { member, refused } from "../../src/config/explain.js";
import { validateConfig, validateProcess } from "../../src/generated/validate-config.js";
import { validateFeatures } from "../../src/generated/validate-features.js";
import { validateState } from "../../src/generated/validate-state.js";
import { ROOT } from "../folders.js";
import { readSchemas, type Schema } from "./schemas.js";

type Validator = (value: unknown) => boolean;

const SCHEMAS = readSchemas(join(ROOT, "spec"));
const VALIDATORS: Record<string, Validator> = {
  config: validateConfig,
  process: validateProcess,
  state: validateState,
  features: validateFeatures,
};

/** Values put into every place; those that lost digits are another test's, since Ajv takes them for what they are. */
const VALUES: unknown[] = [
  null,
  true,
  "",
  "x",
  0,
  1,
  -1,
  1.5,
  7,
  65536,
  4294967296,
  -2147483649,
  [],
  [0],
  {},
  { a: 0 },
];

const ajv = new Ajv2020({ keywords: ["x-int", "x-since", "x-unit"] });
for (const schema of Object.values(SCHEMAS)) ajv.addSchema(schema);

for (const [name, validate] of Object.entries(VALIDATORS)) {
  test(`validators of ${name} judge as Ajv's usual keywords do, and name the place`, () => {
    const file = `${name}.schema.json`;
    const usual = ajv.getSchema(file) as Validator;
    const sample = { value: sampleOf(file, SCHEMAS[file] as Schema) };
    assert.ok(usual(sample.value) && validate(sample.value));
    const verdicts = { good: 0, bad: 0 };

    eachPlace(sample, "value", "", (holder, key, path) => {
      const original = holder[key];
      const compare = (label: string) => {
        const expected = usual(sample.value);
        assert.equal(validate(sample.value), expected, `${path}: ${label}`);
        verdicts[expected ? "good" : "bad"]++;
        if (!expected) assert.ok(refused(sample.value).message.startsWith(path), `${path}: ${label}`);
      };
      for (const value of VALUES) {
        holder[key] = value;
        compare(JSON.stringify(value));
      }
      if (!Array.isArray(holder) && path !== "") {
        delete holder[key];
        compare("absent");
      }
      holder[key] = original;
    });
    assert.ok(verdicts.good > 10 && verdicts.bad > 50, JSON.stringify(verdicts));
  });
}

test("a validator says what it expected and what it got", () => {
  const cases: [value: unknown, message: string][] = [
    [[], "must be an object, got an array of 0"],
    [{}, "ociVersion: is required"],
    [{ ociVersion: 1 }, "ociVersion: must be a string, got 1"],
    [{ ociVersion: "1.3.0", process: { cwd: "/", args: ["a", 2] } }, "process.args[1]: must be a string, got 2"],
    [
      { ociVersion: "1.3.0", linux: { namespaces: [{ type: "pid" }, { type: "pit" }] } },
      'linux.namespaces[1].type: must be one of pid, network, mount, ipc, uts, user, cgroup, time, got "pit"',
    ],
    [
      { ociVersion: "1.3.0", linux: { sysctl: { "net.a/~b": 1 } } },
      'linux.sysctl["net.a/~b"]: must be a string, got 1',
    ],
    [
      { ociVersion: "1.3.0", process: { cwd: "/", oomScoreAdj: 1001 } },
      "process.oomScoreAdj: must be an integer from -1000 to 1000, got 1001",
    ],
    [
      { ociVersion: "1.3.0", linux: { resources: { hugepageLimits: [{ pageSize: "2mb", limit: 1 }] } } },
      'linux.resources.hugepageLimits[0].pageSize: must be text that matches ^[1-9][0-9]*[KMG]B$, got "2mb"',
    ],
    [
      {
        ociVersion: "1.3.0",
        linux: { seccomp: { defaultAction: "SCMP_ACT_LOG", syscalls: [{ names: [], action: "" }] } },
      },
      "linux.seccomp.syscalls[0].names: must be an array of at least 1, got an array of 0",
    ],
  ];
  for (const [value, message] of cases) {
    assert.equal(validateConfig(value), false);
    assert.equal(refused(value).message, message);
  }
});

test("64-bit integers are numbers as far as these are exact, bigint beyond", () => {
  const withSoft = (soft: unknown) => ({
    ociVersion: "1.3.0",
    process: { cwd: "/", rlimits: [{ type: "RLIMIT_CPU", soft, hard: 0 }] },
  });
  for (const soft of [0, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n])
    assert.equal(validateConfig(withSoft(soft)), true, String(soft));
  for (const soft of [-1, 2 ** 53, 2 ** 64, -1n, 2n ** 64n, Number.NaN, Infinity])
    assert.equal(validateConfig(withSoft(soft)), false, String(soft));
  const withLimit = (limit: unknown) => ({ ociVersion: "1.3.0", linux: { resources: { memory: { limit } } } });
  for (const limit of [-1, -(2n ** 63n), 2n ** 63n - 1n])
    assert.equal(validateConfig(withLimit(limit)), true, String(limit));
  for (const limit of [-(2n ** 63n) - 1n, 2n ** 63n, 1.5])
    assert.equal(validateConfig(withLimit(limit)), false, String(limit));
});

/** A value with all that a schema knows. */
function sampleOf(file: string, schema: Schema): unknown {
  if (schema.$ref !== undefined) {
    const [document, pointer] = schema.$ref.split("#/$defs/");
    const target = document || file;
    const root = SCHEMAS[target] as Schema;
    return sampleOf(target, pointer === undefined ? root : (root.$defs?.[pointer] as Schema));
  }
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.pattern !== undefined)
    return "2MB 0-3 MB: CAP_X".split(" ").find((text) => text.match(schema.pattern as string));
  if (schema.type === "array") return [sampleOf(file, schema.items as Schema)];
  if (schema.type === "boolean") return true;
  if (schema.type === "integer") return 1;
  if (schema.type === "string") return "text";
  if (typeof schema.additionalProperties === "object")
    return { "a key/~": sampleOf(file, schema.additionalProperties) };
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, sampleOf(file, property)]),
  );
}

type Holder = Record<string, unknown>;

/** Calls `visit` for a member of `holder` and all below it, which it may change and put back. */
function eachPlace(
  holder: Holder,
  key: string,
  path: string,
  visit: (holder: Holder, key: string, path: string) => void,
): void {
  visit(holder, key, path);
  const value = holder[key];
  if (typeof value !== "object" || value === null) return;
  for (const part of Object.keys(value))
    eachPlace(value as Holder, part, Array.isArray(value) ? `${path}[${part}]` : member(path, part), visit);
}
