import { Failure } from "../linux/failure.js";
import { refusal } from "./refusal.js";

/** An error about one place of a document: `process.cwd: must be an absolute path, got "foo"`. */
export function wrong(path: string, demand: string, actual?: unknown): Failure {
  return new Failure(path, { cause: actual === undefined ? demand : `${demand}, got ${shown(actual)}` });
}

/** The error for what a generated validator found last in this document. */
export function refused(document: unknown): Failure {
  let path = "";
  let value: unknown = document;
  for (const segment of refusal.path.split("/").slice(1)) {
    const key = segment.replace(/~1/g, "/").replace(/~0/g, "~");
    path = Array.isArray(value) ? `${path}[${key}]` : member(path, key);
    value = (value as Record<string, unknown>)[key];
  }
  if (path === "") return new Failure(`must be ${refusal.expected}, got ${shown(value)}`);
  return value === undefined ? wrong(path, "is required") : wrong(path, `must be ${refusal.expected}`, value);
}

/** The path of an object's member: `linux.seccomp`, but `linux.sysctl["net.ipv4.ip_forward"]`. */
export function member(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

const LONGEST = 80;

function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value);
}
