import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A JSON Schema, as far as these tests look at it. */
export interface Schema {
  $id?: string;
  $ref?: string;
  $defs?: Record<string, Schema>;
  title?: string;
  description?: string;
  type?: string;
  enum?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  patternProperties?: Record<string, Schema>;
  allOf?: Schema[];
  anyOf?: Schema[];
  [other: string]: unknown;
}

/** The JSON files of a folder by name. */
export const readSchemas = (folder: string): Record<string, Schema> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .map((file) => [file, JSON.parse(readFileSync(join(folder, file), "utf8"))]),
  );

/** What a place of a document may hold, its references followed. */
export interface Place {
  type: string | undefined;
  enum?: string[];
  pattern?: string;
  range?: [min: number | undefined, max: number | undefined];
  required?: string[];
}

/**
 * The places of a document by their path: "process.rlimits[].soft", a map's values "linux.sysctl.*". Schemas without
 * what they refer to, those of other platforms, are objects that can hold anything.
 */
export function placesOf(documents: Record<string, Schema>, file: string): Map<string, Place> {
  const places = new Map<string, Place>();
  visit(file, documents[file] as Schema, "");
  return places;

  function visit(from: string, schema: Schema, path: string): void {
    if (schema.$ref !== undefined) {
      const [document, pointer = ""] = schema.$ref.split("#");
      const target = document || from;
      if (documents[target] === undefined) places.set(path, { type: "object" });
      else visit(target, follow(documents[target], pointer), path);
      return;
    }
    for (const part of schema.allOf ?? schema.anyOf ?? []) visit(from, part, path);
    places.set(path, { ...places.get(path), ...describe(schema) });
    for (const [name, property] of Object.entries(schema.properties ?? {})) visit(from, property, `${path}.${name}`);
    if (schema.items !== undefined) visit(from, schema.items, `${path}[]`);
    const values = schema.patternProperties?.[".{1,}"] ?? schema.additionalProperties;
    if (typeof values === "object") visit(from, values, `${path}.*`);
  }
}

function follow(document: Schema, pointer: string): Schema {
  let at: unknown = document;
  for (const step of pointer.split("/").filter(Boolean)) at = (at as Record<string, unknown>)[step];
  return at as Schema;
}

function describe(schema: Schema): Place {
  const { type, minimum, maximum, pattern, required } = schema;
  const place: Place = { type: type ?? (schema.enum === undefined ? "object" : "string") };
  if (schema.enum !== undefined) place.enum = [...schema.enum].sort();
  if (pattern !== undefined) place.pattern = pattern;
  if (minimum !== undefined || maximum !== undefined) place.range = [minimum, maximum];
  if (required !== undefined) place.required = [...required].sort();
  return place;
}
