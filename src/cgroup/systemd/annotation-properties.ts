import { member } from "../../config/explain.js";
import { parseVariant } from "../../linux/dbus/parse-variant.js";
import type { Variant } from "../../linux/dbus/value.js";
import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";
import type { Property } from "./property.js";

const PREFIX = "org.systemd.property.";

/** What is documented in seconds, "TimeoutStopSec", and set in microseconds, "TimeoutStopUSec". */
const IN_SECONDS = /^(.*[a-z])Sec$/;

/**
 * The properties that annotations ask for: "org.systemd.property.NAME" with a value in GVariant's text format.
 *
 * @throws Failure by JSON path
 */
export function annotationProperties(annotations: Readonly<Record<string, string>>): Property[] {
  const properties: Property[] = [];
  for (const key in annotations) {
    if (!key.startsWith(PREFIX)) continue;
    const from = member("annotations", key);
    const name = key.slice(PREFIX.length);
    if (!/^[A-Za-z]{3,}$/.test(name)) throw new Failure(`${from}: ${quote(name)} is not the name of a property`);
    try {
      const value = parseVariant(annotations[key]);
      const [, stem] = IN_SECONDS.exec(name) ?? [];
      if (stem === undefined) properties.push({ name, ...value, from });
      else properties.push({ name: `${stem}USec`, ...microseconds(value), from });
    } catch (cause) {
      throw new Failure(`${from}: ${quote(annotations[key])}`, { cause });
    }
  }
  return properties;
}

function microseconds({ value }: Variant): Variant {
  if ((typeof value !== "bigint" && typeof value !== "number") || value < 0)
    throw new RangeError("is not a number of seconds");
  const whole = typeof value === "bigint" ? value * 1_000_000n : BigInt(Math.trunc(value * 1_000_000));
  return { signature: "t", value: whole };
}
