import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { ROOT } from "../folders.js";
import { readSchemas, type Schema } from "./schemas.js";

const SCHEMAS = readSchemas(join(ROOT, "spec"));
const VERSIONS = ["1.0.2", "1.1.0", "1.2.0", "1.2.1", "1.3.0"];
const INTEGERS: Record<string, [min: number, max: number]> = {
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
};

test("the schemas are valid draft 2020-12 and their references lead somewhere", () => {
  const ajv = new Ajv2020({ keywords: ["x-int", "x-since", "x-unit"] });
  for (const schema of Object.values(SCHEMAS)) ajv.addSchema(schema);
  for (const file of Object.keys(SCHEMAS)) assert.equal(typeof ajv.getSchema(file), "function", file);
});

test("every property has a description of one sentence, and a known version where it has one", () => {
  let count = 0;
  for (const [file, schema] of Object.entries(SCHEMAS))
    eachSchema(schema, (at, path) => {
      for (const [name, property] of Object.entries(at.properties ?? {})) {
        const label = `${file}: ${path}.${name}`;
        assert.match(property.description ?? "", /^[A-Z0-9].*\.$/, label);
        assert.doesNotMatch(property.description ?? "", /\. [A-Z]/, label);
        const since = property["x-since"];
        if (since !== undefined) assert.ok(VERSIONS.includes(since as string), label);
        count++;
      }
    });
  assert.ok(count > 200, `${count} properties`);
});

test("integers have the range of the C type that they name", () => {
  for (const [file, schema] of Object.entries(SCHEMAS))
    eachSchema(schema, (at, path) => {
      if (at.type !== "integer") return;
      const label = `${file}: ${path}`;
      assert.ok(at.minimum !== undefined && at.maximum !== undefined, label);
      const type = at["x-int"] as string | undefined;
      if (type !== undefined) assert.deepEqual([at.minimum, at.maximum], INTEGERS[type], label);
      else assert.ok(Number.isSafeInteger(at.minimum) && Number.isSafeInteger(at.maximum), label);
    });
});

function eachSchema(schema: Schema, visit: (schema: Schema, path: string) => void, path = ""): void {
  visit(schema, path);
  for (const key of ["$defs", "properties"] as const)
    for (const [name, part] of Object.entries(schema[key] ?? {})) eachSchema(part, visit, `${path}.${name}`);
  if (schema.items !== undefined) eachSchema(schema.items, visit, `${path}[]`);
  if (typeof schema.additionalProperties === "object") eachSchema(schema.additionalProperties, visit, `${path}.*`);
}
