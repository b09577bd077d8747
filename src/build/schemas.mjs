import { readdirSync, readFileSync } from "node:fs";

/** The folder of the schemas. */
export const SPEC = new URL("../../spec/", import.meta.url);

/** The schema files' names, sorted. */
export const schemaFiles = () => readdirSync(SPEC).sort();

/** Every schema document by its file name, which is its $id too. */
export const readSchemas = () =>
  Object.fromEntries(schemaFiles().map((file) => [file, JSON.parse(readFileSync(new URL(file, SPEC), "utf8"))]));

/**
 * What a $ref in `file` names: `{ file, name, schema }`, `name` the definition's key in $defs, or the document's title.
 * Throws Error when there is none.
 */
export function resolve(documents, file, ref) {
  const [path, pointer] = ref.split("#");
  const target = path || file;
  const document = documents[target];
  const name = pointer ? pointer.replace(/^\/\$defs\//, "") : document?.title;
  const schema = pointer ? document?.$defs?.[name] : document;
  if (schema === undefined) throw new Error(`${file}: $ref "${ref}" names nothing`);
  return { file: target, name, schema };
}

/** The definitions that become types of their own: their names start with a capital letter. */
export const isNamed = (name) => /^[A-Z]/.test(name);
