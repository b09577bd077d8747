import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.js";
import { refuseUnsupported, UNSUPPORTED } from "../../src/config/unsupported.js";
import type { Config } from "../../src/generated/config.js";
import { validateConfig } from "../../src/generated/validate-config.js";
import { merge } from "./merge.js";

/** Configurations that use what is refused, by the path that the refusal names; they go with a row of the table. */
const USES: Record<string, object> = {
  "process.execCPUAffinity": { process: { execCPUAffinity: { final: "0" } } },
};

const withPart = (part: object): Config => {
  const config = merge(defaultConfig(), part);
  assert.ok(validateConfig(config));
  return config;
};

test("what is not supported is refused by its path, with a reason", () => {
  for (const [path, part] of Object.entries(USES))
    assert.throws(
      () => refuseUnsupported(withPart(part)),
      ({ name, message }: Error) => name === "Failure" && /^: is not supported: [^.]+$/.test(message.replace(path, "")),
      path,
    );
});

test("each row of the table has an example", () => {
  let rows = 0;
  JSON.stringify(UNSUPPORTED, (_, value) => {
    if (typeof value !== "object") rows++;
    return value;
  });
  assert.equal(rows, Object.keys(USES).length);
});

test("empty texts, lists and objects stand for unset", () => {
  refuseUnsupported(withPart({ process: { execCPUAffinity: {} } }));
});
