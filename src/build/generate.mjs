/*
 * Writes src/generated/ from the schemas in spec/: types, validators and the names of known properties; and which commit
 * is built. Does nothing when neither the schemas nor the generator nor the commit changed since.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { readSchemas, SPEC, schemaFiles } from "./schemas.mjs";

const OUT = new URL("../generated/", import.meta.url);
const SOURCES = ["generate.mjs", "known-properties.mjs", "schemas.mjs", "types.mjs", "validators.mjs"];

/** The generated modules, and the validators that each has: the type checked for, and its schema. */
const MODULES = {
  config: {
    validateConfig: ["Config", "config.schema.json"],
    validateProcess: ["Process", "process.schema.json"],
    validateResources: ["Resources", "resources.schema.json"],
  },
  state: { validateState: ["State", "state.schema.json"] },
  features: { validateFeatures: ["Features", "features.schema.json"] },
};

const inputs = [
  ...schemaFiles().map((file) => new URL(file, SPEC)),
  ...[...SOURCES, "../../package-lock.json"].map((file) => new URL(file, import.meta.url)),
];
const hash = createHash("sha256");
for (const input of inputs) hash.update(readFileSync(input));
const stamp = hash.digest("hex");

if (stamp !== previous("stamp")) {
  const { knownProperties } = await import("./known-properties.mjs");
  const { typesOf } = await import("./types.mjs");
  const { validatorModule } = await import("./validators.mjs");
  const documents = readSchemas();
  mkdirSync(OUT, { recursive: true });
  for (const [name, validators] of Object.entries(MODULES)) {
    const schemas = Object.entries(validators).map(([validator, [, schema]]) => [validator, schema]);
    const code = validatorModule(documents, Object.fromEntries(schemas));
    write(`${name}.ts`, await typesOf(documents, `${name}.schema.json`));
    write(`validate-${name}.ts`, typed(code, name, validators));
  }
  write("known-properties.ts", knownProperties(documents, "config.schema.json"));
  write("stamp", stamp);
}

const told = `/** The commit that was built, "-dirty" with changes to it; empty where nobody knows. */
export const COMMIT: string = ${JSON.stringify(commit())};
`;
if (told !== previous("commit.ts")) write("commit.ts", told);

function commit() {
  const flags = ["--always", "--dirty", "--exclude=*", "--abbrev=40"];
  const { status, stdout } = spawnSync("git", ["describe", ...flags], { cwd: SPEC, encoding: "utf8" });
  return status === 0 ? stdout.trim() : "";
}

function previous(file) {
  try {
    return readFileSync(new URL(file, OUT), "utf8");
  } catch {
    return undefined;
  }
}

/** Ajv's code as TypeScript: what it exports has types. */
function typed(code, module, validators) {
  const names = Object.values(validators).map(([type]) => type);
  const head = `// @ts-nocheck: compiled by Ajv\nimport type { ${names.join(", ")} } from "./${module}.js";\n`;
  return Object.entries(validators).reduce(
    (text, [name, [type]]) => text.replace(`const ${name} =`, `const ${name}: (value: unknown) => value is ${type} =`),
    head + code,
  );
}

/** Replaces a generated file at once, since compilers may be reading. */
function write(file, content) {
  const temporary = new URL(`${file}.${process.pid}`, OUT);
  writeFileSync(temporary, content);
  renameSync(temporary, new URL(file, OUT));
}
