import { _, _Code, getProperty, nil, stringify } from "ajv/dist/compile/codegen/code.js";
import { resolveRef, SchemaEnv } from "ajv/dist/compile/index.js";
import { Type } from "ajv/dist/compile/util.js";
import Ajv from "ajv/dist/core.js";
import standaloneCode from "ajv/dist/standalone/index.js";
import { getValidate } from "ajv/dist/vocabularies/core/ref.js";
import { transformSync } from "esbuild";

/*
 * Ajv compiles the schemas with keywords of our own. Its usual ones build a path for every value that they look at and
 * an error object at every place that can fail: 100 KB of bytecode, which each run of the executable would load. These
 * return false at the first mistake and put the path together on the way back; src/config/refusal.ts is their part at
 * run time. A test holds their verdicts against those of Ajv's usual keywords.
 */

/** The code of an ES module that exports Ajv's standalone validators, by name, of the schemas named by $id or $ref. */
export function validatorModule(documents, exports) {
  const ajv = new Ajv.default({ code: { source: true, esm: true, optimize: 2 }, inlineRefs: 1, strict: false });
  for (const [keyword, code] of Object.entries(KEYWORDS)) ajv.addKeyword({ keyword, code });
  for (const document of Object.values(documents)) ajv.addSchema(prepare(document), undefined, undefined, false);
  const code = slim(standaloneCode.default(ajv, exports));
  return `import { at, isInteger, isObject, refuse } from "../config/refusal.js";\n${code}`;
}

/**
 * The keywords. Each makes the function under construction return false when `data` does not comply, after `refuse`
 * took down what was expected and where; a function called for a part of the data did that itself, and `at` adds the
 * way to the part.
 */
const KEYWORDS = {
  is(cxt) {
    refuseIf(cxt, TYPE_TESTS[cxt.schema](cxt.data), `${/^[ao]/.test(cxt.schema) ? "an" : "a"} ${cxt.schema}`);
  },
  range(cxt) {
    const [min, max] = RANGES[cxt.schema] ?? cxt.schema;
    const bound = (value) => new _Code(typeof value === "bigint" ? `${value}n` : `${value}`);
    refuseIf(cxt, _`!isInteger(${cxt.data}, ${bound(min)}, ${bound(max)})`, `an integer from ${min} to ${max}`);
  },
  enum(cxt) {
    const { gen, data, schema } = cxt;
    const values = gen.scopeValue("obj", { key: schema.join(), ref: schema, code: stringify(schema) });
    refuseIf(cxt, _`!${values}.includes(${data})`, values);
  },
  pattern(cxt) {
    const pattern = new _Code(String(new RegExp(cxt.schema, "u")));
    refuseIf(cxt, _`!${pattern}.test(${cxt.data})`, `text that matches ${cxt.schema}`);
  },
  minItems(cxt) {
    refuseIf(cxt, _`${cxt.data}.length < ${cxt.schema}`, `an array of at least ${cxt.schema}`);
  },
  $ref(cxt) {
    const { gen, it, data } = cxt;
    const target = resolveRef.call(it.self, it.schemaEnv.root, it.baseId, cxt.schema);
    if (target instanceof SchemaEnv)
      gen.if(_`!${getValidate(cxt, target)}(${data})`, () => gen.return(_`at(${it.errorPath})`));
    else cxt.subschema({ schema: target, schemaPath: nil, topSchemaRef: nil, errSchemaPath: "" }, gen.name("valid"));
  },
  properties(cxt) {
    const { gen, data, parentSchema, schema } = cxt;
    for (const name of Object.keys(schema)) {
      const check = () => cxt.subschema({ keyword: "properties", schemaProp: name, dataProp: name }, gen.name("valid"));
      if (parentSchema.required?.includes(name)) check();
      else gen.if(_`${data}${getProperty(name)} !== undefined`, check);
    }
  },
  items(cxt) {
    const { gen, data } = cxt;
    gen.forRange("i", 0, _`${data}.length`, (index) => {
      cxt.subschema({ keyword: "items", dataProp: index, dataPropType: Type.Num }, gen.name("valid"));
    });
  },
  additionalProperties(cxt) {
    const { gen, data, schema } = cxt;
    if (schema === true) return;
    gen.forIn("key", data, (key) => {
      cxt.subschema({ keyword: "additionalProperties", dataProp: key, dataPropType: Type.Str }, gen.name("valid"));
    });
  },
};

const TYPE_TESTS = {
  string: (data) => _`typeof ${data} !== "string"`,
  boolean: (data) => _`typeof ${data} !== "boolean"`,
  array: (data) => _`!Array.isArray(${data})`,
  object: (data) => _`!isObject(${data})`,
};

/** The ranges whose ends a JavaScript number cannot hold. */
const RANGES = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const refuseIf = ({ gen, it }, condition, expected) =>
  gen.if(condition, () => gen.return(_`refuse(${it.errorPath}, ${expected})`));

/** A schema in the keywords' terms, without what only people read. */
function prepare({ type, minimum, maximum, "x-int": int, ...rest }) {
  const prepared = {};
  if (type === "integer") prepared.range = int in RANGES ? int : [minimum, maximum];
  else if (type !== undefined) prepared.is = type;
  for (const [key, value] of Object.entries(rest)) {
    if (key === "properties" || key === "$defs")
      prepared[key] = Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, prepare(schema)]));
    else if (key === "items" || (key === "additionalProperties" && value !== true)) prepared[key] = prepare(value);
    else if (key === "$id" || key === "required" || key in KEYWORDS) prepared[key] = value;
  }
  return prepared;
}

/**
 * Takes from Ajv's code what our keywords never use: parameters for paths, lists of errors, copies of the schemas.
 * Throws Error when the code is not as this knows it.
 */
function slim(code) {
  const count = code.split("function ").length;
  const slimmed = UNUSED.reduce((rest, [text, replacement]) => {
    const parts = rest.split(text);
    if (parts.length !== count) throw new Error(`Ajv's code has not the known form: ${text}`);
    return parts.join(replacement);
  }, code);
  return transformSync(slimmed, { format: "esm", treeShaking: true, target: "es2023" }).code;
}

const UNUSED = [
  [', {instancePath="", parentData, parentDataProperty, rootData=data}={}', ""],
  ["let vErrors = null;let errors = 0;", ""],
  [/validate\d+\.errors = vErrors;return errors === 0;/, "return true;"],
];
