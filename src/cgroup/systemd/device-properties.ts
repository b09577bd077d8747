import { ANY, type DevicePolicy, type DeviceSet, LETTERS } from "../device-policy.js";
import { type Property, property } from "./property.js";

/** How systemd names the two kinds. */
const KINDS = { b: "block", c: "char" } as const;

/**
 * What systemd is told of a policy on devices. It knows lists of what is allowed only, so it may allow more than the
 * policy does, which the container's own device program decides; less it never does.
 */
export function deviceProperties({ allow, rules }: DevicePolicy): Property[] {
  const allowed = rules.filter((rule) => rule.allow);
  // Of all the devices with a minor number, in whatever place, it has no name.
  const strict = !allow && allowed.every((rule) => rule.major !== ANY || rule.minor === ANY);
  const list = strict ? allowed.map((rule) => [pathOf(rule), LETTERS[rule.access]]) : [];
  return [property("DevicePolicy", "s", strict ? "strict" : "auto"), property("DeviceAllow", "a(ss)", list)];
}

/** systemd.resource-control(5), DeviceAllow=. */
function pathOf({ type, major, minor }: DeviceSet): string {
  const kind = KINDS[type];
  if (major === ANY) return `${kind}-*`;
  return minor === ANY ? `${kind}-${major}` : `/dev/${kind}/${major}:${minor}`;
}
