import { resolve } from "./schemas.mjs";

/**
 * A module with the names of the properties that a document's schema knows, as the JSON text of a tree: an object's
 * members under their names, an array's items under "[]", a map's values under "*"; what can hold anything is null.
 */
export function knownProperties(documents, main) {
  const tree = treeOf(documents, main, documents[main]);
  return `/** The tree of known property names, as JSON; src/config/unknown-properties.ts reads it. */\nexport const KNOWN_PROPERTIES =\n  '${JSON.stringify(tree)}';\n`;
}

function treeOf(documents, file, schema) {
  if (schema.$ref !== undefined) {
    const target = resolve(documents, file, schema.$ref);
    return treeOf(documents, target.file, target.schema);
  }
  if (schema.items !== undefined) return wrap("[]", treeOf(documents, file, schema.items));
  if (typeof schema.additionalProperties === "object")
    return wrap("*", treeOf(documents, file, schema.additionalProperties));
  if (schema.properties === undefined) return null;
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, property]) => [name, treeOf(documents, file, property)]),
  );
}

/** A level of the tree, unless nothing below it has names. */
const wrap = (key, tree) => (tree === null ? null : { [key]: tree });
