import type { Part } from "../machine/program.js";
import type { Builder } from "./builder.js";

/** Appends steps that depend on nothing but plain data. */
export type Topic<T> = (b: Builder, data: T) => void;

/** By topic and by its data as JSON: the parts that are kept. */
const KEPT = new Map<Topic<never>, Map<string, Part>>();

/** Whether what is compiled now is to be kept. */
let keeping = false;

/** The part that a topic made of equal data before, if it was kept. */
export const keptPart = <T>(topic: Topic<T>, data: T): Part | undefined => KEPT.get(topic)?.get(JSON.stringify(data));

/** Keeps a part, if this is the time to. */
export function keepPart<T>(topic: Topic<T>, data: T, part: Part): void {
  if (!keeping) return;
  let parts = KEPT.get(topic);
  if (parts === undefined) {
    parts = new Map();
    KEPT.set(topic, parts);
  }
  parts.set(JSON.stringify(data), part);
}

/** Keeps the parts that `compile` makes, for all later programs of this process. Returns them. */
export function keepingParts(compile: () => void): Part[] {
  keeping = true;
  try {
    compile();
  } finally {
    keeping = false;
  }
  return [...KEPT.values()].flatMap((parts) => [...parts.values()]);
}
