import { Failure } from "../../linux/failure.js";
import { quote } from "../../linux/file.js";

/** Whose systemd: that of the system, or the one that runs as the user. */
export type Manager = "system" | "user";

/** A container's unit: a scope, or a slice. */
export interface Unit {
  readonly manager: Manager;
  /** "fdrunc-box.scope" */
  readonly name: string;
  /** The slice that it is in. */
  readonly slice: string;
  /** The cgroup below the unit's that is the container's, where that is not the unit's: "inner". */
  readonly subgroup?: string;
}

const SLICE = ".slice";
const SCOPE = ".scope";

/** The slice where none is named. */
const DEFAULT_SLICES: Record<Manager, string> = { system: "system.slice", user: "user.slice" };
const DEFAULT_PREFIX = "fdrunc";

/** systemd.unit(5): what names are made of, and the longest. */
const VALID = /^[A-Za-z0-9:_.\\@-]+$/;
const LONGEST = 255;

/**
 * The unit that linux.cgroupsPath names in systemd's form "slice:prefix:name": the scope prefix-name.scope, or name
 * itself where that ends in ".slice". What is empty has a default, and so has the whole path.
 *
 * @throws Failure where the path is not of that form, or a name is none that systemd can do with
 */
export function unitOf(cgroupsPath: string | undefined, id: string, manager: Manager): Unit {
  const refuse = (cause: string) => new Failure(`linux.cgroupsPath: ${quote(cgroupsPath ?? "")}`, { cause });
  const parts = cgroupsPath ? cgroupsPath.split(":") : ["", DEFAULT_PREFIX, id];
  if (parts.length !== 3) throw refuse('is not of the form "slice:prefix:name", which systemd as the manager needs');
  const [slice, prefix, base] = parts;
  const unit = {
    manager,
    slice: slice || DEFAULT_SLICES[manager],
    name: base.endsWith(SLICE) ? base : `${prefix === "" ? "" : `${prefix}-`}${base || id}${SCOPE}`,
  };
  for (const name of [unit.slice, unit.name]) {
    if (!VALID.test(name) || name.length > LONGEST) throw refuse(`${quote(name)} is not the name of a systemd unit`);
    if (name.endsWith(SLICE) && !isSlice(name)) throw refuse(`${quote(name)} is not the name of a slice`);
  }
  if (!unit.slice.endsWith(SLICE)) throw refuse(`${quote(unit.slice)} is not the name of a slice`);
  if (unit.name === ROOT) throw refuse("names the root slice");
  return unit;
}

const ROOT = `-${SLICE}`;

/** Whether a name that ends in ".slice" has parts between its dashes. */
const isSlice = (name: string): boolean => name === ROOT || !name.slice(0, -SLICE.length).split("-").includes("");

export const isSliceUnit = ({ name }: Unit): boolean => name.endsWith(SLICE);

/** The cgroup of a unit, as a path below that of its manager. */
export const cgroupOfUnit = (unit: Unit): string =>
  isSliceUnit(unit) ? cgroupOfSlice(unit.name) : joined(cgroupOfSlice(unit.slice), unit.name);

/** The container's cgroup, as a path below that of its unit's manager. */
export const cgroupInUnit = (unit: Unit): string => joined(cgroupOfUnit(unit), unit.subgroup);

const joined = (...paths: (string | undefined)[]): string => paths.filter(Boolean).join("/");

/** A slice lies in those that its name begins with: "a-b.slice" at "a.slice/a-b.slice". systemd.slice(5) */
function cgroupOfSlice(slice: string): string {
  if (slice === ROOT) return "";
  const parts = slice.slice(0, -SLICE.length).split("-");
  return parts.map((_, i) => parts.slice(0, i + 1).join("-") + SLICE).join("/");
}
