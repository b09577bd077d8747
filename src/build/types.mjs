import { compile } from "json-schema-to-typescript";
import { isNamed, resolve } from "./schemas.mjs";

const OPTIONS = {
  additionalProperties: false,
  bannerComment: "",
  ignoreMinAndMaxItems: true,
};

/** TypeScript types, one named export each, of a document and of all definitions that it uses, in that order. */
export async function typesOf(documents, main) {
  const found = new Map();
  collect(documents, { file: main, name: documents[main].title, schema: documents[main] }, found);
  const types = [];
  for (const [name, { file, schema }] of found)
    types.push(await compile(prepare(documents, file, schema), name, OPTIONS));
  return types.join("\n");
}

/** Adds a definition and those that it refers to, in order of their appearance, to `found`. */
function collect(documents, target, found) {
  if (isNamed(target.name)) {
    if (found.has(target.name)) return;
    found.set(target.name, target);
  }
  const { $defs: _, ...body } = target.schema;
  JSON.stringify(body, (key, value) => {
    if (key === "$ref") collect(documents, resolve(documents, target.file, value), found);
    return value;
  });
}

/** A schema as json-schema-to-typescript takes it: references are type names, descriptions say unit and version. */
function prepare(documents, file, schema) {
  if (schema.$ref !== undefined) {
    const target = resolve(documents, file, schema.$ref);
    const description = describe(schema);
    if (isNamed(target.name)) return { description, tsType: target.name };
    return { ...prepare(documents, target.file, target.schema), description };
  }
  const { $id: _id, $defs: _defs, title: _title, ...rest } = schema;
  const prepared = { ...rest, description: describe(schema) };
  if (schema["x-int"]?.endsWith("64")) prepared.tsType = "number | bigint";
  if (schema.properties !== undefined)
    prepared.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [name, prepare(documents, file, property)]),
    );
  if (schema.items !== undefined) prepared.items = prepare(documents, file, schema.items);
  if (typeof schema.additionalProperties === "object")
    prepared.additionalProperties = prepare(documents, file, schema.additionalProperties);
  return prepared;
}

function describe(schema) {
  const { description, "x-unit": unit, "x-since": since } = schema;
  if (description === undefined) return undefined;
  return [description, unit && `Unit: ${unit}.`, since && `Since ${since}.`].filter(Boolean).join(" ");
}
